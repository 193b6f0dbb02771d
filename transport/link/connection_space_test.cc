// Full rings: the backlog, its order, and who wakes whom for space.

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::ConnectionPair;
using ::shmrpc::testing::TestSeed;
using ::shmrpc::testing::Watchdog;

// Frame number `n` has a body of `size` bytes, all of one value.
absl::Status SendNumber(Connection* connection, uint32_t n, uint64_t size) {
  OutgoingFrame frame;
  frame.kind = memory::kFrameOpen;
  frame.call_id = n;
  frame.has_message = true;
  frame.message_bytes = size;
  return connection->Send(frame, [&](uint8_t* to) {
    std::memset(to, static_cast<int>(n % 255 + 1), size);
  });
}

// Is it frame `n`, whole? Gives its block back.
bool IsNumber(Connection* connection, const Frame& frame, uint32_t n) {
  const std::string expected(frame.message_bytes,
                             static_cast<char>(n % 255 + 1));
  const bool whole =
      frame.fields.call_id == n &&
      std::memcmp(frame.message, expected.data(), expected.size()) == 0;
  if (frame.in_block()) connection->GiveBackBlock(frame.block);
  return whole;
}

// Mostly small; one in sixteen does not fit the ring.
uint64_t RandomSize(std::mt19937_64* random) {
  return (*random)() % 16 == 0 ? 9000 + (*random)() % 100000
                               : 1 + (*random)() % 900;
}

TEST(ConnectionSpace, WhatFindsTheRingFullArrivesInOrder) {
  constexpr uint32_t kFrames = 500;
  ConnectionPair pair(memory::kMinRingSizeBytes);
  for (uint32_t n = 0; n < kFrames; ++n) {
    ASSERT_TRUE(SendNumber(&pair.client(), n, n % 300 + 1).ok());
  }
  uint32_t next = 0;
  for (uint32_t round = 0; next < kFrames; ++round) {
    ASSERT_LT(round, kFrames) << "no progress";
    Frame frame;
    while (pair.server().Next(&frame)) {
      ASSERT_TRUE(IsNumber(&pair.server(), frame, next)) << next;
      ++next;
    }
    ASSERT_TRUE(pair.server().status().ok()) << pair.server().status();
    pair.server().Park();  // gives the space back
    pair.server().Unpark();
    pair.client().Flush();
  }
}

TEST(ConnectionSpace, NewFramesDoNotOvertakeTheBacklog) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  uint32_t sent = 0;
  uint32_t taken = 0;
  for (int step = 0; step < 20000; ++step) {
    Frame frame;
    switch (random() % 4) {
      case 0:
        if (sent - taken > 400) break;
        ASSERT_TRUE(
            SendNumber(&pair.client(), sent++, RandomSize(&random)).ok());
        break;
      case 1:
        if (pair.server().Next(&frame)) {
          ASSERT_TRUE(IsNumber(&pair.server(), frame, taken)) << taken;
          ++taken;
        }
        break;
      case 2:
        pair.client().Flush();
        ASSERT_FALSE(pair.client().Next(&frame)) << "only blocks come back";
        break;
      case 3:
        if (random() % 8 != 0) break;
        pair.server().Park();
        pair.server().Unpark();
        break;
    }
    ASSERT_TRUE(pair.client().status().ok()) << pair.client().status();
    ASSERT_TRUE(pair.server().status().ok()) << pair.server().status();
  }
  EXPECT_GT(taken, 1000u);
}

TEST(ConnectionSpace, WhoGivesSpaceBackRingsWhoWantsIt) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  Watchdog dog;
  platform::Waiter waiter;
  Frame frame;
  ASSERT_TRUE(SendNumber(&pair.client(), 0, 100).ok());
  ASSERT_TRUE(pair.server().Next(&frame));
  pair.server().Park();
  EXPECT_EQ(waiter.Wait(pair.client_event(), 0), platform::WaitResult::kTimeout)
      << "nobody wants space";
  for (uint32_t n = 0; n < 200; ++n) {
    ASSERT_TRUE(SendNumber(&pair.client(), n, 100).ok());
  }
  while (pair.server().Next(&frame)) {
  }
  pair.server().Park();
  EXPECT_EQ(waiter.Wait(pair.client_event(), platform::kNever),
            platform::WaitResult::kSignaled);
}

// The mark was taken down by whoever rang; what then still does not fit has to
// be asked for again.
TEST(ConnectionSpace, WhoStillWantsSpaceIsRungAgain) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  Watchdog dog;
  platform::Waiter waiter;
  Frame frame;
  constexpr uint32_t kFrames = 300;  // several rings full
  for (uint32_t n = 0; n < kFrames; ++n) {
    ASSERT_TRUE(SendNumber(&pair.client(), n, 100).ok());
  }
  for (uint32_t taken = 0; taken < kFrames;) {
    while (pair.server().Next(&frame)) ++taken;
    pair.server().Park();
    if (taken == kFrames) break;
    EXPECT_EQ(waiter.Wait(pair.client_event(), platform::kNever),
              platform::WaitResult::kSignaled);
    pair.client().Flush();
  }
}

TEST(ConnectionSpace, BacklogOfABrokenConnectionIsHarmless) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  for (uint32_t n = 0; n < 200; ++n) {
    ASSERT_TRUE(SendNumber(&pair.client(), n, 100).ok());
  }
  pair.client().Fail(absl::UnavailableError("over"));
  pair.client().Flush();
  EXPECT_FALSE(SendNumber(&pair.client(), 200, 100).ok());
}

// A sleeping consumer and a producer whose ring is always full: every wake-up
// of both protocols, and every block's way back. A lost one hangs.
TEST(ConnectionSpace, TwoThreadsStreamThroughASmallRingWithoutLoss) {
  constexpr uint32_t kFrames = 5000;
  Watchdog dog(240, "stream through a small ring");
  ConnectionPair pair(memory::kMinRingSizeBytes);
  TestSeed seed;
  std::thread server([&] {
    Connection& connection = pair.server();
    platform::Waiter waiter;
    uint32_t next = 0;
    Frame frame;
    while (next < kFrames) {
      bool progress = false;
      while (connection.Next(&frame)) {
        progress = true;
        EXPECT_TRUE(IsNumber(&connection, frame, next)) << next;
        ++next;
      }
      if (connection.broken()) break;
      connection.Flush();
      if (progress) continue;
      connection.Park();
      if (!connection.HasRecord() && !connection.broken()) {
        waiter.Wait(pair.server_event(), platform::kNever);
      }
      connection.Unpark();
    }
    EXPECT_TRUE(connection.status().ok()) << connection.status();
    connection.Close();
  });
  Connection& connection = pair.client();
  platform::Waiter waiter;
  std::mt19937_64 random(seed.value());
  Frame frame;
  uint32_t sent = 0;
  while (!connection.PeerClosed() && !connection.broken()) {
    for (int burst = 0; burst < 50 && sent < kFrames; ++burst) {
      ASSERT_TRUE(SendNumber(&connection, sent++, RandomSize(&random)).ok());
    }
    EXPECT_FALSE(connection.Next(&frame)) << "only blocks come back";
    connection.Flush();
    connection.Park();
    // The server rings for space, for returned blocks and when it closes.
    if (sent == kFrames && !connection.HasRecord() &&
        !connection.PeerClosed()) {
      waiter.Wait(pair.client_event(), platform::kNever);
    }
    connection.Unpark();
  }
  server.join();
  EXPECT_TRUE(connection.status().ok()) << connection.status();
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
