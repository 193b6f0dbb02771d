// Producer and consumer of one ring, by rule. Random and concurrent use:
// ring_model_test.cc.

#include "transport/memory/ring.h"

#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"

namespace shmrpc {
namespace memory {
namespace {

using Result = RingProducer::Result;

constexpr uint64_t kSize = kMinRingSizeBytes;
constexpr uint64_t kQuarter = MaxRecordBytes(kSize);

class Ring : public ::testing::Test {
 protected:
  Ring()
      : producer_(data_, kSize, &consumed_),
        consumer_(data_, kSize, &consumed_) {}

  // Publishes a record of `bytes` whose body is `fill`.
  Result Send(uint64_t bytes, uint8_t fill = 0) {
    uint8_t* record = nullptr;
    const Result result = producer_.Reserve(bytes, &record);
    if (result != Result::kOk) return result;
    EXPECT_LE(record + RoundUpToUnit(bytes), data_ + kSize);
    std::memset(record + 8, fill, bytes - 8);
    producer_.Publish(RecordWord(bytes, kFrameOpen, 0));
    return result;
  }

  // Takes one record, or padding, which must be there.
  uint64_t Take() {
    const uint64_t word = consumer_.Peek();
    EXPECT_NE(word, 0u);
    EXPECT_TRUE(consumer_.FitsRecord(RecordSize(word), RecordKind(word)));
    consumer_.Advance(RecordSize(word));
    return word;
  }

  uint64_t FirstWord(uint64_t offset) const {
    uint64_t word;
    std::memcpy(&word, data_ + offset, sizeof(word));
    return word;
  }

  alignas(64) uint8_t data_[kSize] = {};
  std::atomic<uint64_t> consumed_{0};
  RingProducer producer_;
  RingConsumer consumer_;
};

TEST_F(Ring, RecordWordHoldsSizeKindAndFlags) {
  const uint64_t word = RecordWord(0x12345678, 0xab, 0xcd);
  EXPECT_EQ(RecordSize(word), 0x12345678u);
  EXPECT_EQ(RecordKind(word), 0xab);
  EXPECT_EQ(RecordFlags(word), 0xcd);
  EXPECT_EQ(word >> 48, 0u);
}

TEST_F(Ring, ValidSizesArePowersOfTwoWithinTheLimits) {
  EXPECT_TRUE(ValidRingSize(kMinRingSizeBytes));
  EXPECT_TRUE(ValidRingSize(kRingSizeBytes));
  EXPECT_TRUE(ValidRingSize(kMaxRingSizeBytes));
  EXPECT_FALSE(ValidRingSize(0));
  EXPECT_FALSE(ValidRingSize(kMinRingSizeBytes / 2));
  EXPECT_FALSE(ValidRingSize(kMaxRingSizeBytes * 2));
  EXPECT_FALSE(ValidRingSize(kRingSizeBytes + 64));
  EXPECT_FALSE(ValidRingSize(~uint64_t{0}));
}

TEST_F(Ring, EmptyPeeksZero) {
  EXPECT_EQ(consumer_.Peek(), 0u);
  EXPECT_FALSE(consumer_.HasTaken());
}

TEST_F(Ring, ReservedRecordIsUnseenUntilPublished) {
  uint8_t* record = nullptr;
  ASSERT_EQ(producer_.Reserve(96, &record), Result::kOk);
  std::memset(record + 8, 0xff, 88);
  EXPECT_EQ(consumer_.Peek(), 0u);
  producer_.Publish(RecordWord(96, kFrameOpen, kFlagMessage));
  EXPECT_EQ(consumer_.Peek(), RecordWord(96, kFrameOpen, kFlagMessage));
  EXPECT_EQ(consumer_.data(), record);
  EXPECT_EQ(consumer_.data()[95], 0xff);
}

TEST_F(Ring, ReservingAgainReplacesTheReservation) {
  uint8_t* first = nullptr;
  uint8_t* second = nullptr;
  ASSERT_EQ(producer_.Reserve(96, &first), Result::kOk);
  ASSERT_EQ(producer_.Reserve(32, &second), Result::kOk);
  EXPECT_EQ(first, second);
  producer_.Publish(RecordWord(32, kFrameCancel, 0));
  Take();
  EXPECT_EQ(consumer_.Peek(), 0u);
}

TEST_F(Ring, RecordReachingTheEndExactlyNeedsNoPadding) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(RecordKind(Take()), kFrameOpen);
  consumer_.GiveBack();
  EXPECT_EQ(consumed_.load(), kSize);
  ASSERT_EQ(Send(32), Result::kOk);
  EXPECT_EQ(consumer_.data(), data_);
}

TEST_F(Ring, RecordThatWouldStraddleTheEndStandsBehindPadding) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  ASSERT_EQ(Send(kQuarter - 64), Result::kOk);
  for (int i = 0; i < 4; ++i) Take();
  consumer_.GiveBack();
  ASSERT_EQ(Send(128, 7), Result::kOk);
  EXPECT_EQ(Take(), RecordWord(64, kFramePad, 0));
  EXPECT_EQ(consumer_.data(), data_);
  EXPECT_EQ(Take(), RecordWord(128, kFrameOpen, 0));
  EXPECT_EQ(consumer_.Peek(), 0u);
}

TEST_F(Ring, FullUntilTheConsumerGivesBack) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  EXPECT_TRUE(producer_.Outstanding());
  EXPECT_EQ(Send(32), Result::kFull);
  Take();
  EXPECT_EQ(Send(32), Result::kFull) << "taken is not given back";
  consumer_.GiveBack();
  EXPECT_EQ(Send(32), Result::kOk);
}

TEST_F(Ring, FullForTheRecordAndItsPaddingTogether) {
  ASSERT_EQ(Send(kQuarter - 64), Result::kOk);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  Take();
  consumer_.GiveBack();
  // 64 bytes at the end and a quarter less 64 at the beginning are free: enough
  // in all, but not in one piece.
  EXPECT_EQ(Send(kQuarter), Result::kFull);
  EXPECT_EQ(FirstWord(kSize - 64), 0u) << "padding without its record";
  EXPECT_EQ(Send(kQuarter - 64), Result::kOk);
}

TEST_F(Ring, QuarterTakenIsWorthGivingBack) {
  ASSERT_EQ(Send(kQuarter - 64), Result::kOk);
  ASSERT_EQ(Send(64), Result::kOk);
  Take();
  EXPECT_TRUE(consumer_.HasTaken());
  EXPECT_FALSE(consumer_.ShouldGiveBack());
  Take();
  EXPECT_TRUE(consumer_.ShouldGiveBack());
  consumer_.GiveBack();
  EXPECT_FALSE(consumer_.HasTaken());
}

TEST_F(Ring, StalePayloadAtAUnitBoundaryIsNoRecord) {
  // Payload that looks like records wherever a unit begins.
  while (Send(kQuarter, 0x41) == Result::kOk) {
  }
  for (int i = 0; i < 4; ++i) Take();
  consumer_.GiveBack();
  for (uint64_t at = 0; at < kSize; at += kUnitBytes) {
    ASSERT_EQ(FirstWord(at), 0u) << "unit at " << at;
  }
  ASSERT_EQ(Send(32), Result::kOk);
  Take();
  EXPECT_EQ(consumer_.Peek(), 0u);
}

TEST_F(Ring, ConsumedBeyondProducedIsCorrupt) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  consumed_ = kSize + 64;
  EXPECT_EQ(Send(32), Result::kCorrupt);
  consumed_ = ~uint64_t{63};
  EXPECT_EQ(Send(32), Result::kCorrupt);
}

TEST_F(Ring, ConsumedWithinAUnitIsCorrupt) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  consumed_ = 65;
  EXPECT_EQ(Send(32), Result::kCorrupt);
}

TEST_F(Ring, ConsumedGoingBackIsCorrupt) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  consumed_ = 2 * kQuarter;
  for (int i = 0; i < 2; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  consumed_ = kQuarter;
  EXPECT_EQ(Send(32), Result::kCorrupt);
}

TEST_F(Ring, RecordOfImpossibleSizeDoesNotFit) {
  EXPECT_TRUE(consumer_.FitsRecord(sizeof(FrameHeader), kFrameOpen));
  EXPECT_TRUE(consumer_.FitsRecord(kQuarter, kFrameOpen));
  EXPECT_FALSE(consumer_.FitsRecord(0, kFrameOpen));
  EXPECT_FALSE(consumer_.FitsRecord(sizeof(FrameHeader) - 1, kFrameOpen));
  EXPECT_FALSE(consumer_.FitsRecord(kQuarter + 1, kFrameOpen));
  EXPECT_FALSE(consumer_.FitsRecord(0xffffffff, kFrameOpen));
}

TEST_F(Ring, RecordAcrossTheEndDoesNotFit) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  ASSERT_EQ(Send(kQuarter - 128), Result::kOk);
  for (int i = 0; i < 4; ++i) Take();
  EXPECT_TRUE(consumer_.FitsRecord(128, kFrameOpen));
  EXPECT_FALSE(consumer_.FitsRecord(129, kFrameOpen));
}

TEST_F(Ring, PaddingFitsOnlyIfItReachesTheEnd) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Send(kQuarter), Result::kOk);
  ASSERT_EQ(Send(kQuarter - 128), Result::kOk);
  for (int i = 0; i < 4; ++i) Take();
  EXPECT_TRUE(consumer_.FitsRecord(128, kFramePad));
  EXPECT_FALSE(consumer_.FitsRecord(64, kFramePad));
  EXPECT_FALSE(consumer_.FitsRecord(192, kFramePad));
  EXPECT_FALSE(consumer_.FitsRecord(0, kFramePad));
}

// Otherwise a peer that writes such padding again and again keeps us skipping.
TEST_F(Ring, PaddingLongerThanARecordDoesNotFit) {
  EXPECT_FALSE(consumer_.FitsRecord(kSize, kFramePad)) << "the whole ring";
  ASSERT_EQ(Send(64), Result::kOk);
  Take();
  EXPECT_FALSE(consumer_.FitsRecord(kSize - 64, kFramePad));
}

}  // namespace
}  // namespace memory
}  // namespace shmrpc
