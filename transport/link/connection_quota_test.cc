// A connection whose server may hold little for its client.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/memory_account.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::ConnectionPair;
using ::testing::HasSubstr;

constexpr uint64_t kQuotaBytes = 4 << 20;

class SmallQuota : public ::testing::Test {
 protected:
  absl::Status Send(Connection* from, uint8_t kind, uint64_t bytes) {
    OutgoingFrame frame;
    frame.kind = kind;
    frame.has_message = true;
    frame.message_bytes = bytes;
    return from->Send(frame, [&](uint8_t* to) { std::memset(to, 7, bytes); });
  }
  // The client sends; what the server sees of it.
  Frame SendOpen(uint64_t bytes) {
    EXPECT_TRUE(Send(&pair_.client(), memory::kFrameOpen, bytes).ok());
    Frame frame;
    EXPECT_TRUE(pair_.server().Next(&frame)) << pair_.server().status();
    return frame;
  }
  void Settle() {
    Frame frame;
    EXPECT_FALSE(pair_.client().Next(&frame));
    EXPECT_FALSE(pair_.server().Next(&frame));
    EXPECT_FALSE(pair_.client().broken()) << pair_.client().status();
    EXPECT_FALSE(pair_.server().broken()) << pair_.server().status();
  }

  const std::shared_ptr<memory::MemoryAccount> account_ =
      std::make_shared<memory::MemoryAccount>(kQuotaBytes);
  ConnectionPair pair_{memory::kRingSizeBytes, account_};
};

TEST_F(SmallQuota, SmallFramesNeverChargeIt) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(SendOpen(kMaxInlineBytes).holds_block());
  }
  EXPECT_EQ(account_->used_bytes(), 0u);
}

TEST_F(SmallQuota, BlockBeyondItArrivesRefusedAndTheConnectionGoesOn) {
  const Frame large = SendOpen(kQuotaBytes + 1);
  EXPECT_TRUE(large.refused());
  EXPECT_FALSE(large.in_block());
  EXPECT_EQ(large.message_bytes, 0u);
  EXPECT_EQ(account_->used_bytes(), 0u);
  pair_.server().GiveBackBlock(large.block);
  Settle();
  // The client has let go of that segment, and a smaller one has room.
  EXPECT_EQ(pair_.client().SizeBytes(), pair_.client().view().size_bytes());
  const Frame small = SendOpen(100000);
  EXPECT_FALSE(small.refused());
  ASSERT_TRUE(small.in_block());
  EXPECT_EQ(small.message[99999], 7);
  EXPECT_EQ(account_->used_bytes(), memory::kMinSegmentBytes);
  pair_.server().GiveBackBlock(small.block);
  Settle();
}

TEST_F(SmallQuota, BlocksOnTheirWayToARefusedSegmentAreRefusedToo) {
  const uint64_t half = kQuotaBytes;
  EXPECT_TRUE(Send(&pair_.client(), memory::kFrameOpen, half + 1).ok());
  // The same segment has no room; the next one is as large.
  EXPECT_TRUE(Send(&pair_.client(), memory::kFrameOpen, half).ok());
  Frame first;
  Frame second;
  ASSERT_TRUE(pair_.server().Next(&first));
  ASSERT_TRUE(pair_.server().Next(&second));
  EXPECT_TRUE(first.refused());
  EXPECT_TRUE(second.refused());
  EXPECT_NE(first.block, second.block);
  pair_.server().GiveBackBlock(second.block);
  pair_.server().GiveBackBlock(first.block);
  Settle();
  EXPECT_EQ(pair_.client().SizeBytes(), pair_.client().view().size_bytes());
}

TEST_F(SmallQuota, RoomComesBackWithTheOtherSegments) {
  Frame kept = SendOpen(3 << 20);
  ASSERT_TRUE(kept.in_block());
  const Frame refused = SendOpen(2 << 20);
  EXPECT_TRUE(refused.refused());
  pair_.server().GiveBackBlock(refused.block);
  pair_.server().GiveBackBlock(kept.block);
  kept.block_view.reset();
  Settle();
  // Refused again: it makes the client drop the one that lies idle.
  const Frame again = SendOpen(4 << 20);
  EXPECT_TRUE(again.refused());
  pair_.server().GiveBackBlock(again.block);
  Settle();
  EXPECT_EQ(account_->used_bytes(), 0u);
  EXPECT_TRUE(SendOpen(4 << 20).in_block());
}

TEST_F(SmallQuota, SenderAtItEndsThatMessageOnly) {
  const absl::Status sent =
      Send(&pair_.server(), memory::kFrameClose, kQuotaBytes + 1);
  EXPECT_EQ(sent.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(sent.message()),
              HasSubstr("0 of 4194304 bytes are in use"));
  EXPECT_TRUE(Send(&pair_.server(), memory::kFrameClose, 100000).ok());
  Frame frame;
  EXPECT_TRUE(pair_.client().Next(&frame));
  EXPECT_TRUE(frame.in_block());
}

// A client that gives nothing back.
TEST_F(SmallQuota, ClientThatKeepsAllPayloadsIsHeldNoMore) {
  int sent = 0;
  while (Send(&pair_.server(), memory::kFrameClose, 500000).ok()) {
    ASSERT_LT(++sent, 100);
    Frame frame;
    ASSERT_TRUE(pair_.client().Next(&frame));
  }
  EXPECT_GE(sent, 7);
  EXPECT_LE(account_->used_bytes(), kQuotaBytes);
  EXPECT_FALSE(pair_.server().broken());
}

// A client that takes nothing off its ring.
TEST_F(SmallQuota, MessagesThatWaitForRoomInTheRingAreCharged) {
  absl::Status sent;
  int count = 0;
  while (sent.ok()) {
    ASSERT_LT(++count, 2000);
    sent = Send(&pair_.server(), memory::kFrameMessage, kMaxInlineBytes);
  }
  EXPECT_EQ(sent.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(sent.message()), HasSubstr("of 4194304 bytes"));
  EXPECT_LE(account_->used_bytes(), kQuotaBytes);
  EXPECT_GT(account_->used_bytes(), kQuotaBytes - 2 * kMaxInlineBytes);
  EXPECT_FALSE(pair_.server().broken());
  // What ends a call is kept all the same.
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  EXPECT_TRUE(pair_.server().Send(close).ok());
  // Everything comes, in order, and is held no more.
  Frame frame;
  for (int taken = 0; taken < count;) {
    if (!pair_.client().Next(&frame)) {
      ASSERT_FALSE(pair_.client().broken()) << pair_.client().status();
      pair_.server().Flush();
      continue;
    }
    ++taken;
    EXPECT_EQ(frame.fields.kind,
              taken < count ? memory::kFrameMessage : memory::kFrameClose);
  }
  EXPECT_EQ(account_->used_bytes(), 0u);
  EXPECT_TRUE(
      Send(&pair_.server(), memory::kFrameMessage, kMaxInlineBytes).ok());
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
