// A thread flips words of the shared memory between values that are right and
// values that are not, as fast as it can, while the victim reads them. Who
// looks twice sees both: checks one and uses the other.
//
// The shipped Connection must never hand up a frame outside of its views nor
// write outside of its ring. A reader that looks twice, made for this test,
// must be caught: that shows that the flipping can find one.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/arena.h"
#include "transport/memory/ring.h"
#include "transport/platform/cpu.h"
#include "transport/platform/mapping.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

using link::Connection;
using link::Frame;
using memory::FrameHeader;
using memory::kClientSide;
using memory::kServerSide;

constexpr uint64_t kSegmentBytes = 64 * 1024;
// What precedes the flipped records: two records of one unit each.
constexpr uint64_t kFirst = 2 * memory::kUnitBytes;
constexpr uint32_t kBody = 64;  // of a record in the ring
constexpr uint32_t kMetadata = 8;
constexpr int kBurst = 16;  // flips of a record before the next one's

// A word of a record that is flipped: where, and its values. Right ones are in
// the majority, or no reader would come far.
struct Target {
  const char* name;
  bool in_block;
  uint64_t offset;  // in the record
  bool wide;        // 8 bytes, otherwise 4
  uint64_t right;
  uint64_t wrong;
};

constexpr uint64_t RecordBytes(bool in_block) {
  return sizeof(FrameHeader) + (in_block ? sizeof(memory::BlockRef) : kBody);
}
// From record to record.
constexpr uint64_t Step(bool in_block) {
  return memory::RoundUpToUnit(memory::SpaceBytes(RecordBytes(in_block)));
}

uint64_t RightWord(bool in_block) {
  return memory::RecordWord(
      RecordBytes(in_block), memory::kFrameOpen,
      memory::kFlagMessage | (in_block ? memory::kFlagBlock : 0));
}

const Target kTargets[] = {
    {"record size", false, 0, true, RightWord(false),
     memory::RecordWord(1 << 20, memory::kFrameOpen, memory::kFlagMessage)},
    {"smaller record", false, 0, true, RightWord(false),
     memory::RecordWord(sizeof(FrameHeader), memory::kFrameOpen,
                        memory::kFlagMessage)},
    {"kind", false, 0, true, RightWord(false),
     memory::RecordWord(sizeof(FrameHeader) + kBody, memory::kFramePad, 0)},
    {"flags", false, 0, true, RightWord(false),
     memory::RecordWord(sizeof(FrameHeader) + kBody, memory::kFrameOpen,
                        memory::kFlagBlock)},
    {"metadata length", false, 24, false, kMetadata, 0xffff0000},
    {"returned block", false, 28, false, 0, 17},
    // Behind the header, which with this body fills less than a line.
    {"segment", true, 32, false, 0, 7},
    {"block offset", true, 40, true, 64, uint64_t{1} << 40},
    {"block offset, near", true, 40, true, 64, kSegmentBytes - 8},
    {"block size", true, 48, true, 256, ~uint64_t{0}},
    {"metadata beyond the block", true, 24, false, kMetadata, 257},
};

void Store(uint8_t* to, bool wide, uint64_t value) {
  // Relaxed: a race is what this is about.
  if (wide) {
    reinterpret_cast<std::atomic<uint64_t>*>(to)->store(
        value, std::memory_order_relaxed);
  } else {
    reinterpret_cast<std::atomic<uint32_t>*>(to)->store(
        static_cast<uint32_t>(value), std::memory_order_relaxed);
  }
}

// Fills a ring with right records, and flips one word of each.
class Flipper {
 public:
  Flipper(uint8_t* ring, uint64_t ring_bytes, const Target& target)
      : ring_(ring),
        ring_bytes_(ring_bytes),
        target_(target),
        step_(Step(target.in_block)) {}
  ~Flipper() { Stop(); }

  void FillAfter(uint64_t first) {
    for (uint64_t at = first; at < ring_bytes_; at += step_) {
      uint8_t* record = ring_ + at;
      Store(record + 8, false, 1);
      Store(record + 12, false, 1);
      Store(record + 16, true, INT64_MAX);
      Store(record + 24, false, kMetadata);
      Store(record + 28, false, 0);
      if (target_.in_block) {
        Store(record + 32, false, 0);
        Store(record + 36, false, 3);
        Store(record + 40, true, 64);
        Store(record + 48, true, 256);
      }
      reinterpret_cast<std::atomic<uint64_t>*>(record)->store(
          RightWord(target_.in_block), std::memory_order_release);
    }
  }
  // Returns when it flips: a reader that begins before is done with its ring
  // before a slow machine has started the thread.
  void Start(uint64_t first) {
    thread_ = std::thread([this, first] {
      uint64_t flips = 0;
      while (!stop_.load(std::memory_order_relaxed)) {
        for (uint64_t at = first; at < ring_bytes_; at += step_) {
          uint8_t* to = ring_ + at + target_.offset;
          for (int burst = 0; burst < kBurst; ++burst) {
            Store(to, target_.wide, target_.wrong);
            Store(to, target_.wide, target_.right);
            flips += 2;
            // Some rest, in which it is right.
            for (int i = 0; i < 6; ++i) Store(to, target_.wide, target_.right);
          }
          // Relaxed: it says that time has passed, nothing of the memory.
          flips_.store(flips, std::memory_order_relaxed);
        }
      }
    });
    while (flips() == 0) std::this_thread::yield();
  }
  void Stop() {
    if (!thread_.joinable()) return;
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  uint64_t flips() const { return flips_.load(std::memory_order_relaxed); }

 private:
  uint8_t* const ring_;
  const uint64_t ring_bytes_;
  const Target target_;
  const uint64_t step_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> flips_{0};
  std::thread thread_;
};

bool Within(const platform::View& view, const uint8_t* metadata,
            uint64_t metadata_bytes, const uint8_t* message,
            uint64_t message_bytes) {
  const uint8_t* begin = view.data();
  const uint8_t* end = begin + view.size_bytes();
  return metadata >= begin && metadata <= end &&
         metadata_bytes <= static_cast<uint64_t>(end - metadata) &&
         message == metadata + metadata_bytes &&
         message_bytes <= static_cast<uint64_t>(end - message);
}

class DoubleFetch : public ::testing::TestWithParam<size_t> {};

TEST_P(DoubleFetch, ShippedReaderIsNeverFooled) {
  const Target& target = kTargets[GetParam()];
  const uint64_t step = Step(target.in_block);
  Watchdog dog(240, target.name);
  uint64_t frames = 0;
  uint64_t refused = 0;
  uint64_t flips = 0;
  // Until both sides of the flip were seen often enough.
  for (int round = 0; round < 150 || frames < 100 || refused < 10; ++round) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    auto segment = platform::NamedMapping::Create(
        memory::SegmentName(pair.name(), kClientSide, 0, {}), kSegmentBytes,
        {});
    ASSERT_TRUE(segment.ok()) << segment.status();
    // The segment is announced by a record of the first unit.
    uint8_t* ring = pair.ring(kClientSide, kClientSide);
    Flipper flipper(ring, pair.ring_size_bytes(), target);
    flipper.FillAfter(kFirst);
    Store(ring + 12, false, 0);
    Store(ring + 32, true, kSegmentBytes);
    Store(ring + 0, true,
          memory::RecordWord(sizeof(FrameHeader) + sizeof(memory::SegmentInfo),
                             memory::kFrameSegment, 0));
    // And one that fills the unit after it.
    Store(ring + 64 + 28, false, 0);
    Store(ring + 64, true,
          memory::RecordWord(sizeof(FrameHeader), memory::kFrameOpen,
                             memory::kFlagMessage));
    Frame frame;
    ASSERT_TRUE(pair.server().Next(&frame)) << pair.server().status();
    flipper.Start(kFirst);
    // Once through the ring.
    for (uint64_t at = kFirst; at < pair.ring_size_bytes(); at += step) {
      if (!pair.server().Next(&frame)) break;
      ++frames;
      ASSERT_TRUE(Within(*frame.view, frame.metadata,
                         frame.fields.metadata_bytes, frame.message,
                         frame.message_bytes))
          << target.name;
      ASSERT_LE(frame.fields.metadata_bytes, memory::kMaxMetadataBytes);
    }
    refused += pair.server().broken();
    flipper.Stop();
    flips += flipper.flips();
    if (pair.server().broken()) {
      ASSERT_TRUE(absl::IsDataLoss(pair.server().status()))
          << pair.server().status();
    }
  }
  std::printf("%s: %llu flips, %llu frames taken, %llu times refused\n",
              target.name, static_cast<unsigned long long>(flips),
              static_cast<unsigned long long>(frames),
              static_cast<unsigned long long>(refused));
}

INSTANTIATE_TEST_SUITE_P(Words, DoubleFetch,
                         ::testing::Range(size_t{0}, sizeof(kTargets) /
                                                         sizeof(kTargets[0])));

// What Connection::Next must not do: the length is checked, and then read anew
// where it is used. (volatile: the compiler may not make one read of the two.)
// Between the two lies about what Next does between its copy and its use: what
// follows at once is answered by this core's own cache.
bool LookTwice(const Connection& victim, const uint8_t* record, Frame* frame) {
  const volatile uint32_t& metadata_bytes =
      reinterpret_cast<const FrameHeader*>(record)->metadata_bytes;
  if (metadata_bytes > kBody) return false;
  for (int i = 0; i < 8; ++i) platform::CpuRelax();
  frame->view = &victim.view();
  frame->metadata = record + memory::BodyOffset(sizeof(FrameHeader) + kBody);
  frame->fields.metadata_bytes = metadata_bytes;
  frame->message = frame->metadata + frame->fields.metadata_bytes;
  frame->message_bytes = kBody - frame->fields.metadata_bytes;
  return true;
}

TEST(DoubleFetchTest, ReaderThatLooksTwiceIsCaught) {
  Watchdog dog(240, "a reader that looks twice, and is not caught");
  ConnectionPair pair(memory::kMinRingSizeBytes);
  uint8_t* ring = pair.ring(kServerSide, kClientSide);
  const Target target = kTargets[4];
  ASSERT_STREQ(target.name, "metadata length");
  Flipper flipper(pair.ring(kClientSide, kClientSide), pair.ring_size_bytes(),
                  target);
  const uint64_t at = pair.ring_size_bytes() - Step(target.in_block);
  flipper.FillAfter(at);
  flipper.Start(at);
  uint64_t looks = 0;
  for (bool caught = false; !caught; ++looks) {
    Frame frame;
    caught = LookTwice(pair.server(), ring + at, &frame) &&
             !Within(*frame.view, frame.metadata, frame.fields.metadata_bytes,
                     frame.message, frame.message_bytes);
  }
  std::printf("caught within %llu looks\n",
              static_cast<unsigned long long>(looks));
}

// The producer's side: `consumed` says that there is room, or that there never
// was. Nothing is written beyond the ring, whose neighbour is the other one.
TEST(DoubleFetchTest, ProducerIsNeverFooledByConsumed) {
  Watchdog dog(240, "a producer whose ring is said to have room");
  uint64_t flips = 0;
  uint64_t sent = 0;
  int refused = 0;
  for (int round = 0; round < 200 || refused < 5; ++round) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    const uint64_t ring_bytes = pair.ring_size_bytes();
    uint8_t* neighbour = pair.ring(kServerSide, kServerSide);
    std::memset(neighbour, 0x5a, ring_bytes);
    std::atomic<bool> stop{false};
    std::atomic<bool> flipping{false};
    std::thread flipper([&] {
      std::atomic<uint64_t>& consumed =
          pair.page(kServerSide)->ring[kClientSide].consumed;
      static constexpr uint64_t kValues[] = {0, 0, 0, 0, 1024, 0, ~uint64_t{0},
                                             0, 0, 0, 0, 2048, 0, 65};
      while (!stop.load(std::memory_order_relaxed)) {
        for (const uint64_t value : kValues) {
          consumed.store(value, std::memory_order_relaxed);
          ++flips;
        }
        flipping.store(true, std::memory_order_relaxed);
      }
    });
    while (!flipping.load(std::memory_order_relaxed)) {
      std::this_thread::yield();
    }
    const std::string bytes(200, 'x');
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameOpen;
    frame.has_message = true;
    frame.message_bytes = bytes.size();
    for (int i = 0; i < 100; ++i) {
      if (!pair.client()
               .Send(frame,
                     [&](uint8_t* to) {
                       std::memcpy(to, bytes.data(), bytes.size());
                     })
               .ok()) {
        break;
      }
      ++sent;
    }
    refused += pair.client().broken();
    stop.store(true, std::memory_order_relaxed);
    flipper.join();
    for (uint64_t i = 0; i < ring_bytes; ++i) ASSERT_EQ(neighbour[i], 0x5a);
  }
  std::printf("consumed: %llu flips, %llu frames sent, %d times refused\n",
              static_cast<unsigned long long>(flips),
              static_cast<unsigned long long>(sent), refused);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
