// A peer that writes anything anywhere in the connection object. Whatever
// comes, every frame handed up lies within a mapping of ours, every loop ends,
// and the worst outcome is a broken connection with DATA_LOSS.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/guard.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using memory::kClientSide;
using memory::kServerSide;
using ::shmrpc::testing::ConnectionPair;
using ::shmrpc::testing::TestSeed;
using ::shmrpc::testing::Watchdog;

// Writes over one word of the object as the client maps it: often something
// that could be true.
void Scribble(ConnectionPair* pair, std::mt19937_64* random) {
  std::mt19937_64& r = *random;
  const uint64_t ring = pair->ring_size_bytes();
  auto* data = reinterpret_cast<uint8_t*>(pair->page(kClientSide));
  uint64_t offset = 0;
  uint64_t value = 0;
  switch (r() % 6) {
    case 0:
    case 1:  // a record's first word, believable or nearly
      offset = memory::kPage + r() % (2 * ring / 64) * 64;
      value = memory::RecordWord(r() % (r() % 4 == 0 ? 5000 : 200),
                                 static_cast<uint8_t>(r() % 9),
                                 static_cast<uint8_t>(r() % 5));
      break;
    case 2:  // the rest of a header: small numbers
      offset = memory::kPage + r() % (2 * ring / 64) * 64 + 8 + r() % 3 * 8;
      value = r() % 64 << (r() % 2 * 32);
      break;
    case 3:  // a word of a body
      offset = memory::kPage + r() % (2 * ring / 8) * 8;
      value = r() % 4 == 0 ? r() : r() % 100000;
      break;
    case 4:  // marks, "closed", "consumed"
      offset = 128 + r() % 40 * 8;
      value = r() % 2 == 0 ? r() % 64 * 64 : r();
      break;
    case 5:  // anything anywhere
      offset = r() % ((memory::kPage + 2 * ring) / 8) * 8;
      value = r();
      break;
  }
  reinterpret_cast<std::atomic<uint64_t>*>(data + offset)
      ->store(value, std::memory_order_relaxed);
}

void SendSomething(Connection* connection, uint8_t kind,
                   std::mt19937_64* random) {
  OutgoingFrame frame;
  frame.kind = kind;
  frame.call_id = static_cast<uint32_t>((*random)());
  frame.has_message = true;
  frame.metadata = "meta";
  frame.message_bytes = (*random)() % 32 == 0 ? 20000 : (*random)() % 500;
  const uint64_t bytes = frame.message_bytes;
  connection
      ->Send(frame, [bytes](uint8_t* to) { std::memset(to, 0x77, bytes); })
      .IgnoreError();
}

// Reads every byte of the frame as the layer above does. False: it points
// somewhere it must not.
bool ReadAll(Connection* connection, const Frame& frame) {
  const uint8_t* begin = frame.view->data();
  const uint8_t* end = begin + frame.view->size_bytes();
  if (frame.metadata < begin || frame.message < frame.metadata ||
      frame.message > end ||
      frame.message_bytes > static_cast<uint64_t>(end - frame.message) ||
      frame.message - frame.metadata !=
          static_cast<std::ptrdiff_t>(frame.fields.metadata_bytes)) {
    return false;
  }
  uint32_t sum = 0;
  platform::Guarded(*frame.view, [&] {
    const volatile uint8_t* at = frame.metadata;
    for (; at != frame.message + frame.message_bytes; ++at) sum += *at;
  });
  if (frame.in_block()) connection->GiveBackBlock(frame.block);
  return true;
}

// As a leading thread does, and bounded as it is. False as ReadAll.
bool Turn(Connection* connection) {
  Frame frame;
  for (int i = 0; i < 64 && connection->Next(&frame); ++i) {
    if (!ReadAll(connection, frame)) return false;
  }
  connection->Flush();
  connection->Park();
  connection->HasRecord();
  connection->PeerClosed();
  connection->Unpark();
  return true;
}

TEST(ConnectionMutation, RandomWordsBreakTheConnectionAtWorst) {
  Watchdog dog(240, "a loop that a peer keeps going");
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  int broken = 0;
  for (int round = 0; round < 1000; ++round) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    for (int step = 0; step < 100; ++step) {
      switch (random() % 4) {
        case 0:
          SendSomething(&pair.client(), memory::kFrameOpen, &random);
          break;
        case 1:
          SendSomething(&pair.server(), memory::kFrameClose, &random);
          break;
        case 2:
          if (step > 20) Scribble(&pair, &random);
          break;
        case 3:
          ASSERT_TRUE(Turn(&pair.server())) << "round " << round;
          ASSERT_TRUE(Turn(&pair.client())) << "round " << round;
          break;
      }
      if (pair.server().broken()) {
        ASSERT_TRUE(absl::IsDataLoss(pair.server().status()) ||
                    absl::IsNotFound(pair.server().status()))
            << pair.server().status();
        ++broken;
        break;
      }
    }
  }
  EXPECT_GT(broken, 100) << "nothing the test wrote was noticed";
}

TEST(ConnectionMutation, RingThatChangesWhileItIsReadBreaksItAtWorst) {
  Watchdog dog(240, "a loop that a peer keeps going");
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  int broken = 0;
  for (int round = 0; round < 200; ++round) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    std::atomic<bool> stop{false};
    // The peer: valid frames and garbage, as fast as it can.
    std::thread peer([&, peer_seed = random()] {
      std::mt19937_64 r(peer_seed);
      while (!stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 8; ++i) {
          SendSomething(&pair.client(), memory::kFrameOpen, &r);
        }
        for (int i = 0; i < 3; ++i) Scribble(&pair, &r);
        // A peer without mercy for its own end has a broken one soon; what it
        // then can do is scribble.
        pair.client().Flush();
      }
    });
    bool within = true;
    for (int turn = 0; turn < 300 && within && !pair.server().broken();
         ++turn) {
      within = Turn(&pair.server());
      SendSomething(&pair.server(), memory::kFrameClose, &random);
      std::this_thread::yield();
    }
    broken += pair.server().broken();
    stop.store(true, std::memory_order_relaxed);
    peer.join();
    ASSERT_TRUE(within) << "round " << round;
  }
  EXPECT_GT(broken, 20);
}

// The garbage that kept Next() busy for ever: padding of the whole ring, and
// returns of nothing, rewritten as fast as they are consumed.
TEST(ConnectionMutation, RecordsThatOnlyTheLinkReadsDoNotHoldIt) {
  for (const uint64_t word :
       {memory::RecordWord(memory::kMinRingSizeBytes, memory::kFramePad, 0),
        memory::RecordWord(sizeof(memory::FrameHeader), memory::kFrameReturn,
                           0)}) {
    Watchdog dog(60, "Next() does not return");
    ConnectionPair pair(memory::kMinRingSizeBytes);
    std::atomic<bool> stop{false};
    std::thread peer([&] {
      uint8_t* ring = pair.ring(kClientSide, kClientSide);
      while (!stop.load(std::memory_order_relaxed)) {
        for (uint64_t at = 0; at < pair.ring_size_bytes(); at += 64) {
          reinterpret_cast<std::atomic<uint64_t>*>(ring + at)->store(
              word, std::memory_order_release);
        }
      }
    });
    Frame frame;
    while (!pair.server().broken()) EXPECT_FALSE(pair.server().Next(&frame));
    stop.store(true, std::memory_order_relaxed);
    peer.join();
    EXPECT_EQ(pair.server().status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
