// What two honest ends of a connection do for each other. What dishonest ones
// do: connection_hostile_test.cc. Full rings: connection_space_test.cc.

#include "transport/link/connection.h"

#include <climits>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::ConnectionPair;
using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

OutgoingFrame Open(uint32_t call_id) {
  OutgoingFrame frame;
  frame.kind = memory::kFrameOpen;
  frame.call_id = call_id;
  return frame;
}

// Sends an open frame with `metadata` and `message`.
absl::Status SendOpen(Connection* connection, uint32_t call_id,
                      absl::string_view metadata, absl::string_view message,
                      bool* rang = nullptr) {
  OutgoingFrame frame = Open(call_id);
  frame.has_message = true;
  frame.metadata = metadata;
  frame.message_bytes = message.size();
  return connection->Send(
      frame,
      [&](uint8_t* to) { std::memcpy(to, message.data(), message.size()); },
      rang);
}

std::string Metadata(const Frame& frame) {
  return std::string(reinterpret_cast<const char*>(frame.metadata),
                     frame.fields.metadata_bytes);
}

std::string Message(const Frame& frame) {
  return std::string(reinterpret_cast<const char*>(frame.message),
                     frame.message_bytes);
}

TEST(Connection, FrameArrivesWithAllItsFields) {
  ConnectionPair pair;
  OutgoingFrame sent = Open(0xfedcba98);
  sent.aux = 0x12345678;
  sent.deadline_ns = -5;
  sent.has_message = true;
  sent.metadata = "meta";
  sent.message_bytes = 7;
  ASSERT_TRUE(
      pair.client()
          .Send(sent, [](uint8_t* to) { std::memcpy(to, "message", 7); })
          .ok());
  Frame got;
  ASSERT_TRUE(pair.server().Next(&got));
  EXPECT_EQ(got.fields.kind, memory::kFrameOpen);
  EXPECT_EQ(got.fields.call_id, 0xfedcba98);
  EXPECT_EQ(got.fields.aux, 0x12345678u);
  EXPECT_EQ(got.fields.deadline_ns, -5);
  EXPECT_TRUE(got.has_message());
  EXPECT_FALSE(got.in_block());
  EXPECT_EQ(Metadata(got), "meta");
  EXPECT_EQ(Message(got), "message");
  EXPECT_FALSE(pair.server().Next(&got));
  EXPECT_TRUE(pair.server().status().ok());
}

TEST(Connection, FrameThatWentBeforeTheFailureIsNoError) {
  ConnectionPair pair;
  OutgoingFrame sent = Open(1);
  sent.has_message = true;
  sent.message_bytes = 1;
  // As if another thread had found something wrong just then. Who is told that
  // nothing was sent may send it a second time.
  const absl::Status status = pair.client().Send(sent, [&](uint8_t* to) {
    *to = 'm';
    pair.client().Fail(absl::UnavailableError("meanwhile"));
  });
  Frame got;
  EXPECT_TRUE(pair.server().Next(&got));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(pair.client().Send(Open(2)).ok());
}

TEST(Connection, NoMessageAndAnEmptyOneAreTwoThings) {
  ConnectionPair pair;
  ASSERT_TRUE(pair.client().Send(Open(1)).ok());
  ASSERT_TRUE(SendOpen(&pair.client(), 2, "", "").ok());
  Frame got;
  ASSERT_TRUE(pair.server().Next(&got));
  EXPECT_FALSE(got.has_message());
  ASSERT_TRUE(pair.server().Next(&got));
  EXPECT_TRUE(got.has_message());
  EXPECT_EQ(got.message_bytes, 0u);
}

TEST(Connection, BothDirectionsAreIndependent) {
  ConnectionPair pair;
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.call_id = 9;
  ASSERT_TRUE(pair.server().Send(close).ok());
  ASSERT_TRUE(pair.client().Send(Open(8)).ok());
  Frame got;
  ASSERT_TRUE(pair.client().Next(&got));
  EXPECT_EQ(got.fields.call_id, 9u);
  ASSERT_TRUE(pair.server().Next(&got));
  EXPECT_EQ(got.fields.call_id, 8u);
}

TEST(Connection, EverySizeAroundTheInlineLimitArrivesWhole) {
  for (uint64_t ring : {memory::kMinRingSizeBytes, memory::kRingSizeBytes}) {
    ConnectionPair pair(ring);
    const uint64_t quarter = ring / 4;
    for (uint64_t size :
         {uint64_t{1}, uint64_t{31}, uint64_t{32}, uint64_t{33}, quarter - 33,
          quarter - 32, quarter - 31, quarter, kMaxInlineBytes - 1,
          kMaxInlineBytes, kMaxInlineBytes + 1, uint64_t{1000000}}) {
      const std::string message(size, 'm');
      ASSERT_TRUE(SendOpen(&pair.client(), 1, "k", message).ok());
      Frame got;
      ASSERT_TRUE(pair.server().Next(&got)) << size << " in " << ring;
      EXPECT_EQ(Metadata(got), "k");
      EXPECT_EQ(Message(got), message);
      if (got.in_block()) pair.server().GiveBackBlock(got.block);
      ASSERT_FALSE(pair.client().Next(&got));
      ASSERT_TRUE(pair.client().status().ok()) << pair.client().status();
    }
  }
}

TEST(Connection, LargeMetadataTravelsInABlock) {
  ConnectionPair pair;
  const std::string metadata(100000, 'k');
  ASSERT_TRUE(SendOpen(&pair.client(), 1, metadata, "message").ok());
  Frame got;
  ASSERT_TRUE(pair.server().Next(&got));
  ASSERT_TRUE(got.in_block());
  EXPECT_EQ(Metadata(got), metadata);
  EXPECT_EQ(Message(got), "message");
}

TEST(Connection, BlockStaysReadableUntilItIsGivenBack) {
  ConnectionPair pair;
  Frame first;
  ASSERT_TRUE(SendOpen(&pair.client(), 1, "", std::string(50000, 'a')).ok());
  ASSERT_TRUE(pair.server().Next(&first));
  for (int i = 0; i < 100; ++i) {
    Frame got;
    ASSERT_TRUE(SendOpen(&pair.client(), 2, "", std::string(50000, 'b')).ok());
    ASSERT_TRUE(pair.server().Next(&got));
    pair.server().GiveBackBlock(got.block);
    ASSERT_FALSE(pair.client().Next(&got));  // takes the block back
  }
  EXPECT_EQ(Message(first), std::string(50000, 'a'));
  // One segment was enough for all.
  EXPECT_EQ(pair.client().SizeBytes(),
            memory::ConnectionSizeBytes(pair.ring_size_bytes()) +
                memory::kMinSegmentBytes);
}

TEST(Connection, BlockGoesBackWithAnotherFrame) {
  ConnectionPair pair;
  Frame got;
  ASSERT_TRUE(SendOpen(&pair.client(), 1, "", std::string(50000, 'a')).ok());
  ASSERT_TRUE(pair.server().Next(&got));
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.returned_block = got.block + 1;
  ASSERT_TRUE(pair.server().Send(close).ok());
  ASSERT_TRUE(pair.client().Next(&got));
  // Back already: a second time breaks the connection.
  ASSERT_TRUE(pair.server().Send(close).ok());
  EXPECT_FALSE(pair.client().Next(&got));
  EXPECT_EQ(pair.client().status().code(), absl::StatusCode::kDataLoss);
}

TEST(Connection, NothingKeepsANameButTheConnectionItself) {
  ConnectionPair pair;
  ASSERT_TRUE(SendOpen(&pair.client(), 1, "", std::string(50000, 'a')).ok());
  Frame got;
  ASSERT_TRUE(pair.server().Next(&got));
  EXPECT_THAT(Leftovers(pair.name().name + ".c"), IsEmpty());
}

TEST(Connection, OnlyASleepingPeerIsRung) {
  ConnectionPair pair;
  bool rang = false;
  ASSERT_TRUE(pair.client().Send(Open(1), &rang).ok());
  EXPECT_FALSE(rang);
  Frame got;
  ASSERT_TRUE(pair.server().Next(&got));
  pair.server().Park();
  EXPECT_FALSE(pair.server().HasRecord());
  ASSERT_TRUE(pair.client().Send(Open(2), &rang).ok());
  EXPECT_TRUE(rang);
  Watchdog dog;
  platform::Waiter waiter;
  EXPECT_EQ(waiter.Wait(pair.server_event(), platform::kNever),
            platform::WaitResult::kSignaled);
  rang = false;
  ASSERT_TRUE(pair.client().Send(Open(3), &rang).ok());
  EXPECT_FALSE(rang) << "one ring is enough";
  EXPECT_TRUE(pair.server().HasRecord());
  pair.server().Park();
  pair.server().Unpark();
  ASSERT_TRUE(pair.client().Send(Open(4), &rang).ok());
  EXPECT_FALSE(rang);
}

TEST(Connection, ClosingTellsThePeerOnceAndLetsItReadTheRest) {
  ConnectionPair pair;
  ASSERT_TRUE(pair.client().Send(Open(1)).ok());
  EXPECT_FALSE(pair.server().PeerClosed());
  pair.client().Close();
  Watchdog dog;
  platform::Waiter waiter;
  EXPECT_EQ(waiter.Wait(pair.server_event(), platform::kNever),
            platform::WaitResult::kSignaled);
  pair.client().Close();
  EXPECT_EQ(waiter.Wait(pair.server_event(), 0),
            platform::WaitResult::kTimeout);
  EXPECT_TRUE(pair.server().PeerClosed());
  EXPECT_FALSE(pair.client().PeerClosed());
  Frame got;
  EXPECT_TRUE(pair.server().Next(&got));
  EXPECT_TRUE(pair.server().status().ok());
}

TEST(Connection, NewsIsARecordOrTheEnd) {
  ConnectionPair pair;
  EXPECT_FALSE(pair.server().HasNews());
  ASSERT_TRUE(pair.client().Send(Open(1)).ok());
  EXPECT_TRUE(pair.server().HasNews());
  EXPECT_TRUE(pair.server().HasNews()) << "a look takes nothing";
  Frame got;
  ASSERT_TRUE(pair.server().Next(&got));
  EXPECT_FALSE(pair.server().HasNews());
  pair.client().Close();
  EXPECT_TRUE(pair.server().HasNews());
}

TEST(Connection, NextWithPollsAwaitsARecord) {
  ConnectionPair pair;
  Watchdog dog;
  Frame got;
  EXPECT_FALSE(pair.server().Next(&got, 3));
  std::thread client([&] { EXPECT_TRUE(pair.client().Send(Open(1)).ok()); });
  EXPECT_TRUE(pair.server().Next(&got, INT_MAX));
  EXPECT_EQ(got.fields.call_id, 1u);
  client.join();
}

TEST(Connection, FirstFailureSticks) {
  ConnectionPair pair;
  ASSERT_TRUE(pair.client().Send(Open(1)).ok());
  pair.server().Fail(absl::DataLossError("first"));
  pair.server().Fail(absl::DataLossError("second"));
  EXPECT_TRUE(pair.server().broken());
  EXPECT_EQ(pair.server().status(), absl::DataLossError("first"));
  EXPECT_EQ(pair.server().Send(Open(1)), absl::DataLossError("first"));
  Frame got;
  EXPECT_FALSE(pair.server().Next(&got));
  EXPECT_FALSE(pair.server().HasRecord());
}

// ThreadSanitizer holds a lock of its own during an atomic operation, and takes
// it again before it calls a signal handler: a fault in one hangs there.
#ifdef ABSL_HAVE_THREAD_SANITIZER
constexpr bool kFaultsInAtomicsHang = true;
#else
constexpr bool kFaultsInAtomicsHang = false;
#endif

TEST(Connection, ObjectThatFaultsBreaksTheConnectionAndNothingElse) {
  if (kFaultsInAtomicsHang) GTEST_SKIP();
  ConnectionPair pair;
  ASSERT_TRUE(pair.client().Send(Open(1)).ok());
  MakeViewFault(pair.name(), pair.server().view());
  Frame got;
  EXPECT_FALSE(pair.server().Next(&got));
  EXPECT_TRUE(pair.server().broken());
  EXPECT_EQ(pair.server().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(pair.server().status().message()),
              HasSubstr("its shared memory is gone"));
  // Everything else is an answer, too.
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  EXPECT_EQ(pair.server().Send(close).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(pair.server().PeerClosed());
  EXPECT_FALSE(pair.server().HasRecord());
  pair.server().Park();
  pair.server().Unpark();
  pair.server().Flush();
  pair.server().GiveBackBlock(3);
  pair.server().Close();
}

// Who sleeps would not look.
TEST(Connection, FailureWakesThePeerAndTellsIt) {
  ConnectionPair pair;
  pair.client().Fail(absl::DataLossError("a lie"));
  platform::Waiter waiter;
  EXPECT_EQ(waiter.Wait(pair.server_event(), 0),
            platform::WaitResult::kSignaled);
  EXPECT_TRUE(pair.server().PeerClosed());
}

TEST(Connection, FaultWakesThePeerAndTellsIt) {
  if (kFaultsInAtomicsHang) GTEST_SKIP();
  ConnectionPair pair;
  MakeViewFault(pair.name(), pair.client().view());
  EXPECT_FALSE(pair.client().HasRecord());
  platform::Waiter waiter;
  EXPECT_EQ(waiter.Wait(pair.server_event(), 0),
            platform::WaitResult::kSignaled);
  EXPECT_TRUE(pair.server().PeerClosed());
}

TEST(Connection, EveryFirstTouchOfAFaultingObjectIsCaught) {
  if (kFaultsInAtomicsHang) GTEST_SKIP();
  const std::vector<void (*)(Connection*)> touches = {
      [](Connection* c) { EXPECT_FALSE(c->HasRecord()); },
      [](Connection* c) { EXPECT_TRUE(c->PeerClosed()); },
      [](Connection* c) { c->Park(); },
      [](Connection* c) { c->Unpark(); },
      [](Connection* c) {
        OutgoingFrame close;
        close.kind = memory::kFrameClose;
        EXPECT_EQ(c->Send(close).code(), absl::StatusCode::kDataLoss);
      },
  };
  for (const auto& touch : touches) {
    ConnectionPair pair;
    MakeViewFault(pair.name(), pair.server().view());
    touch(&pair.server());
    EXPECT_EQ(pair.server().status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(Connection, FaultWhileTheMessageIsWrittenBreaksIt) {
  ConnectionPair pair;
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.has_message = true;
  close.message_bytes = 100;
  const absl::Status sent = pair.server().Send(close, [&](uint8_t* to) {
    MakeViewFault(pair.name(), pair.server().view());
    *static_cast<volatile uint8_t*>(to) = 1;
  });
  EXPECT_EQ(sent.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(pair.server().broken());
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
