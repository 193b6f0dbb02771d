// A peer that breaks the rules: one record at a time. At random:
// connection_mutation_test.cc.

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/arena.h"

namespace shmrpc {
namespace link {
namespace {

using memory::BlockRef;
using memory::FrameHeader;
using memory::kClientSide;
using memory::kServerSide;
using memory::RecordWord;
using memory::SegmentInfo;
using ::shmrpc::testing::ConnectionPair;
using ::testing::HasSubstr;

constexpr uint8_t kBlock = memory::kFlagMessage | memory::kFlagBlock;
constexpr uint32_t kHeader = sizeof(FrameHeader);
// Between header and body of a record of more than a cache line.
constexpr uint64_t kGap = memory::BodyOffset(1000) - kHeader;

// What the client writes into its ring, field by field.
struct Forged {
  uint64_t word = 0;
  uint32_t aux = 0;
  uint32_t metadata_bytes = 0;
  uint32_t returned_block = 0;
  std::string body;
};

Forged Record(uint64_t size_bytes, uint8_t kind, uint8_t flags) {
  Forged forged;
  forged.word = RecordWord(size_bytes, kind, flags);
  return forged;
}

template <class T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

Forged WithBlock(const BlockRef& ref, uint32_t metadata_bytes = 0) {
  Forged forged = Record(kHeader + sizeof(ref), memory::kFrameOpen, kBlock);
  forged.metadata_bytes = metadata_bytes;
  forged.body = Bytes(ref);
  return forged;
}

class HostileClient : public ::testing::Test {
 protected:
  // Puts a record where the server reads next, which is at `offset_`.
  void Forge(const Forged& forged) {
    uint8_t* at = pair_.ring(kClientSide, kClientSide) +
                  offset_ % pair_.ring_size_bytes();
    auto* header = reinterpret_cast<FrameHeader*>(at);
    header->aux = forged.aux;
    header->metadata_bytes = forged.metadata_bytes;
    header->returned_block = forged.returned_block;
    const uint64_t record_bytes = memory::RecordSize(forged.word);
    std::memcpy(at + memory::BodyOffset(record_bytes), forged.body.data(),
                forged.body.size());
    header->size_kind_flags.store(forged.word, std::memory_order_release);
    offset_ += memory::RoundUpToUnit(memory::SpaceBytes(record_bytes));
  }

  void ExpectBroken(const std::string& reason) {
    Frame frame;
    EXPECT_FALSE(pair_.server().Next(&frame)) << reason;
    EXPECT_TRUE(pair_.server().broken()) << reason;
    EXPECT_EQ(pair_.server().status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(
        std::string(pair_.server().status().message()),
        ::testing::AllOf(HasSubstr(pair_.name().name), HasSubstr(reason)));
  }

  ConnectionPair pair_{memory::kMinRingSizeBytes};
  uint64_t offset_ = 0;
};

TEST_F(HostileClient, ForgedHonestRecordIsBelieved) {
  Forged forged = Record(kHeader + 4, memory::kFrameOpen, memory::kFlagMessage);
  forged.body = "abcd";
  Forge(forged);
  Frame frame;
  ASSERT_TRUE(pair_.server().Next(&frame));
  EXPECT_EQ(std::memcmp(frame.message, "abcd", 4), 0);
}

TEST(HostileRecord, ImpossibleSizesBreakTheConnection) {
  const uint64_t quarter = memory::kMinRingSizeBytes / 4;
  for (uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{kHeader - 1},
                        quarter + 1, memory::kMinRingSizeBytes,
                        uint64_t{0x7fffffff}, uint64_t{0xffffffff}}) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    auto* header =
        reinterpret_cast<FrameHeader*>(pair.ring(kClientSide, kClientSide));
    header->size_kind_flags = RecordWord(size, memory::kFrameOpen, 0);
    Frame frame;
    EXPECT_FALSE(pair.server().Next(&frame)) << size;
    EXPECT_EQ(pair.server().status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(pair.server().status().message()),
                HasSubstr("cannot stand where it stands"));
  }
}

TEST_F(HostileClient, RecordAcrossTheEndBreaksTheConnection) {
  const uint64_t quarter = pair_.ring_size_bytes() / 4;
  Frame frame;
  for (int i = 0; i < 3; ++i) {
    Forge(Record(quarter - kGap, memory::kFrameOpen, memory::kFlagMessage));
  }
  Forge(Record(quarter - 64 - kGap, memory::kFrameOpen, memory::kFlagMessage));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(pair_.server().Next(&frame));
  Forge(Record(65, memory::kFrameOpen, memory::kFlagMessage));
  ExpectBroken("cannot stand");
}

TEST_F(HostileClient, PaddingOfTheWholeRingBreaksTheConnection) {
  Forge(Record(pair_.ring_size_bytes(), memory::kFramePad, 0));
  ExpectBroken("cannot stand");
}

TEST_F(HostileClient, PaddingShortOfTheEndBreaksTheConnection) {
  Forge(Record(64, memory::kFramePad, 0));
  ExpectBroken("cannot stand");
}

TEST_F(HostileClient, RefusalOfNoSegmentBreaksTheConnection) {
  Forge(Record(kHeader, memory::kFrameRefuse, 0));
  ExpectBroken("refuses segment 0");
}

TEST_F(HostileClient, DropOfNoSegmentBreaksTheConnection) {
  Forge(Record(kHeader, memory::kFrameDrop, 0));
  ExpectBroken("drops segment 0");
}

TEST_F(HostileClient, RefusalAndDropWithABodyBreakTheConnection) {
  for (const uint8_t kind : {memory::kFrameRefuse, memory::kFrameDrop}) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    auto* header =
        reinterpret_cast<FrameHeader*>(pair.ring(kClientSide, kClientSide));
    header->size_kind_flags = RecordWord(kHeader + 1, kind, 0);
    Frame frame;
    EXPECT_FALSE(pair.server().Next(&frame));
    EXPECT_THAT(std::string(pair.server().status().message()),
                HasSubstr("frame with 1 bytes"));
  }
}

TEST_F(HostileClient, ReturnsOfNothingBreakTheConnection) {
  Forge(Record(kHeader, memory::kFrameReturn, 0));
  ExpectBroken("return frame");
}

TEST_F(HostileClient, KindOfTheOtherSideBreaksTheConnection) {
  Forge(Record(kHeader, memory::kFrameClose, 0));
  ExpectBroken("frame kind 4");
}

TEST_F(HostileClient, UnknownKindBreaksTheConnection) {
  Forge(Record(kHeader, 200, 0));
  ExpectBroken("frame kind 200");
}

TEST_F(HostileClient, MetadataBeyondTheRecordBreaksTheConnection) {
  Forged forged = Record(kHeader + 8, memory::kFrameOpen, memory::kFlagMessage);
  forged.metadata_bytes = 9;
  Forge(forged);
  ExpectBroken("claims 9 bytes of metadata");
}

TEST_F(HostileClient, ReturnOfABlockNeverLentBreaksTheConnection) {
  Forged forged = Record(kHeader, memory::kFrameOpen, 0);
  forged.returned_block = 1;
  Forge(forged);
  ExpectBroken("gave back block 0");
}

TEST_F(HostileClient, ReferenceToAnUnknownSegmentBreaksTheConnection) {
  Forge(WithBlock({0, 0, 0, 1}));
  ExpectBroken("never announced");
}

TEST_F(HostileClient, AnnouncementOfNothingBreaksTheConnection) {
  Forged forged =
      Record(kHeader + sizeof(SegmentInfo), memory::kFrameSegment, 0);
  forged.body = Bytes(SegmentInfo{1 << 20, 1, 0, 0, 0});
  Forge(forged);
  Frame frame;
  EXPECT_FALSE(pair_.server().Next(&frame));
  EXPECT_TRUE(pair_.server().broken());
}

// With a segment of 64 KiB, announced honestly.
class HostileSegment : public HostileClient {
 protected:
  static constexpr uint64_t kSize = 64 * 1024;

  void Announce(uint64_t size_bytes) {
    Forged forged =
        Record(kHeader + sizeof(SegmentInfo), memory::kFrameSegment, 0);
    forged.aux = 0;
    forged.body = Bytes(SegmentInfo{size_bytes, 1, 0, 0, 0});
    Forge(forged);
  }

  platform::NamedMapping MakeSegment() {
    return *platform::NamedMapping::Create(
        memory::SegmentName(pair_.name(), kClientSide, 0, {kSize, 1, 0, 0, 0}),
        kSize, {});
  }

  platform::NamedMapping segment_ = MakeSegment();
};

TEST_F(HostileSegment, HonestReferenceIsBelieved) {
  Announce(kSize);
  Forge(WithBlock({0, 5, kSize - 100, 100}, 40));
  Frame frame;
  ASSERT_TRUE(pair_.server().Next(&frame)) << pair_.server().status();
  EXPECT_EQ(frame.block, 5u);
  EXPECT_EQ(frame.message_bytes, 60u);
}

TEST_F(HostileSegment, SmallerThanAnnouncedBreaksTheConnection) {
  Announce(kSize + 4096);
  ExpectBroken("the peer announced");
}

TEST_F(HostileSegment, AnnouncedTwiceBreaksTheConnection) {
  Announce(kSize);
  Announce(kSize);
  ExpectBroken("twice");
}

TEST_F(HostileSegment, ReferenceBeyondItsEndBreaksTheConnection) {
  Announce(kSize);
  Forge(WithBlock({0, 0, kSize - 99, 100}));
  ExpectBroken("which has 65536");
}

TEST_F(HostileSegment, ReferenceWhoseEndWrapsBreaksTheConnection) {
  Announce(kSize);
  Forge(WithBlock({0, 0, 64, ~uint64_t{63}}));
  ExpectBroken("which has 65536");
}

TEST_F(HostileSegment, MetadataLongerThanItsBlockBreaksTheConnection) {
  Announce(kSize);
  Forge(WithBlock({0, 0, 0, 100}, 101));
  Frame frame;
  EXPECT_FALSE(pair_.server().Next(&frame));
  EXPECT_EQ(pair_.server().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(HostileSegment, BlockNumberThatCannotGoBackBreaksTheConnection) {
  Announce(kSize);
  Forge(WithBlock({0, 0xffffffff, 0, 100}));
  Frame frame;
  EXPECT_FALSE(pair_.server().Next(&frame));
  EXPECT_EQ(pair_.server().status().code(), absl::StatusCode::kDataLoss);
}

// Each pair costs the receiver more than its sender.
TEST_F(HostileSegment, SegmentsWithoutEndBreakTheConnection) {
  Frame frame;
  const auto announce_and_drop = [&] {
    Announce(kSize);
    Forge(Record(kHeader, memory::kFrameDrop, 0));
    EXPECT_FALSE(pair_.server().Next(&frame));
    segment_ = platform::NamedMapping();
    segment_ = MakeSegment();
  };
  // As a sender does that makes a new one for every frame.
  for (uint32_t i = 0; i < 8 * memory::kMaxSegments; ++i) {
    announce_and_drop();
    Forge(Record(kHeader, memory::kFrameOpen, 0));
    ASSERT_TRUE(pair_.server().Next(&frame)) << pair_.server().status();
  }
  for (uint32_t i = 0; i < 8 * memory::kMaxSegments; ++i) {
    if (pair_.server().broken()) break;
    announce_and_drop();
  }
  ExpectBroken("announces and drops segments without end");
}

TEST(HostileConsumer, ConsumingWhatWasNeverSentBreaksTheConnection) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  pair.page(kClientSide)->ring[kServerSide].consumed = 1 << 20;
  absl::Status sent;
  for (int i = 0; i < 100 && sent.ok(); ++i) sent = pair.server().Send(close);
  EXPECT_EQ(sent.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(sent.message()),
              HasSubstr("consumed what was never sent"));
  EXPECT_TRUE(pair.server().broken());
}

// Whoever lists names sees the connection's, and the segments' once they exist.
TEST(HostileConsumer, NamesThatCanBeGuessedAreNoSegments) {
  ConnectionPair pair;
  std::vector<platform::NamedMapping> squatted;
  for (const char* suffix : {".s0", ".s1", ".s0.", ".s1."}) {
    squatted.push_back(*platform::NamedMapping::Create(
        pair.name().WithSuffix(suffix), 4096, {}));
  }
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.has_message = true;
  close.message_bytes = 100000;
  Frame frame;
  for (uint32_t i = 0; i < 2; ++i) {
    // More than what is left of the segment before.
    close.message_bytes += i * memory::kMinSegmentBytes;
    ASSERT_TRUE(pair.server().Send(close).ok()) << pair.server().status();
    ASSERT_TRUE(pair.client().Next(&frame)) << pair.client().status();
  }
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
