// A ring against a queue: random use by one thread, streaming between two.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "transport/memory/ring.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace memory {
namespace {

using Result = RingProducer::Result;
using ::shmrpc::testing::TestSeed;
using ::shmrpc::testing::Watchdog;

constexpr uint64_t kSize = kMinRingSizeBytes;

struct RingMemory {
  alignas(64) uint8_t data[kSize] = {};
  std::atomic<uint64_t> consumed{0};
};

// Body of record number `n`: never zero, so that it looks like records.
uint8_t FillOf(uint64_t n) { return static_cast<uint8_t>(n % 255 + 1); }

uint64_t SizeOf(uint64_t n, std::mt19937_64* random) {
  const uint64_t largest = MaxRecordBytes(kSize);
  const uint64_t smallest = sizeof(FrameHeader);
  // Mostly small, sometimes up to the limit.
  const uint64_t limit = n % 7 == 0 ? largest : smallest + 200;
  return smallest + (*random)() % (limit - smallest + 1);
}

bool BodyIs(const uint8_t* record, uint64_t bytes, uint8_t fill) {
  for (uint64_t i = 8; i < bytes; ++i) {
    if (record[i] != fill) return false;
  }
  return true;
}

TEST(RingModel, RandomUseDeliversEveryRecordOnceInOrder) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  RingMemory memory;
  RingProducer producer(memory.data, kSize, &memory.consumed);
  RingConsumer consumer(memory.data, kSize, &memory.consumed);
  struct Sent {
    uint64_t number;
    uint64_t bytes;
  };
  std::deque<Sent> sent;  // and not yet taken
  uint64_t next = 0;
  uint64_t full = 0;
  for (int step = 0; step < 200000; ++step) {
    switch (random() % 4) {
      case 0:
      case 1: {
        const uint64_t bytes = SizeOf(next, &random);
        uint8_t* record = nullptr;
        const Result result = producer.Reserve(bytes, &record);
        ASSERT_NE(result, Result::kCorrupt);
        if (result == Result::kFull) {
          ++full;
          break;
        }
        std::memset(record + 8, FillOf(next), bytes - 8);
        producer.Publish(RecordWord(bytes, kFrameOpen, 0));
        sent.push_back({next++, bytes});
        break;
      }
      case 2: {
        if (consumer.ShouldGiveBack()) consumer.GiveBack();
        uint64_t word = consumer.Peek();
        if (RecordKind(word) == kFramePad) {
          ASSERT_TRUE(consumer.FitsRecord(RecordSize(word), kFramePad));
          consumer.Advance(RecordSize(word));
          word = consumer.Peek();
          ASSERT_NE(RecordKind(word), kFramePad) << "padding twice";
        }
        ASSERT_EQ(word == 0, sent.empty());
        if (word == 0) break;
        ASSERT_EQ(RecordSize(word), sent.front().bytes);
        ASSERT_TRUE(consumer.FitsRecord(RecordSize(word), RecordKind(word)));
        ASSERT_TRUE(BodyIs(consumer.data(), RecordSize(word),
                           FillOf(sent.front().number)));
        consumer.Advance(RecordSize(word));
        sent.pop_front();
        break;
      }
      case 3:
        if (random() % 4 == 0) consumer.GiveBack();
        break;
    }
  }
  EXPECT_GT(next, 1000u);
  EXPECT_GT(full, 100u) << "the test did not fill the ring";
}

TEST(RingModel, TwoThreadsStreamWithoutLossOrDisorder) {
  constexpr uint64_t kRecords = 50000;
  Watchdog dog(240, "ring between two threads");
  TestSeed seed;
  RingMemory memory;
  std::thread sender([&] {
    RingProducer producer(memory.data, kSize, &memory.consumed);
    std::mt19937_64 random(seed.value());
    for (uint64_t n = 0; n < kRecords; ++n) {
      const uint64_t bytes = SizeOf(n, &random);
      uint8_t* record = nullptr;
      Result result;
      while ((result = producer.Reserve(bytes, &record)) == Result::kFull) {
        std::this_thread::yield();
      }
      if (result == Result::kCorrupt) return;  // the receiver hangs: watchdog
      std::memset(record + 8, FillOf(n), bytes - 8);
      producer.Publish(RecordWord(bytes, kFrameOpen, 0));
    }
  });
  RingConsumer consumer(memory.data, kSize, &memory.consumed);
  std::mt19937_64 random(seed.value());
  bool intact = true;
  for (uint64_t n = 0; n < kRecords && intact;) {
    const uint64_t word = consumer.Peek();
    if (word == 0) {
      // As a consumer that parks: everything is given back before it waits.
      if (consumer.HasTaken()) consumer.GiveBack();
      std::this_thread::yield();
      continue;
    }
    intact = consumer.FitsRecord(RecordSize(word), RecordKind(word));
    if (RecordKind(word) != kFramePad) {
      intact = intact && RecordSize(word) == SizeOf(n, &random) &&
               BodyIs(consumer.data(), RecordSize(word), FillOf(n));
      EXPECT_TRUE(intact) << "record " << n;
      ++n;
    }
    if (!intact) break;
    consumer.Advance(RecordSize(word));
    if (consumer.ShouldGiveBack()) consumer.GiveBack();
  }
  if (!intact) {
    // Lets the sender end.
    memory.consumed = ~uint64_t{0};
  }
  sender.join();
  EXPECT_TRUE(intact);
}

}  // namespace
}  // namespace memory
}  // namespace shmrpc
