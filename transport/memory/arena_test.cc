// Both ends of an arena in one process, one after the other's turn.

#include "transport/memory/arena.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/memory/memory_account.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace memory {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::TestSeed;
using ::shmrpc::testing::UniqueName;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

SegmentInfo Info(uint64_t size_bytes) { return {size_bytes, 1, 0, 0, 0}; }

class Arena : public ::testing::Test {
 protected:
  // Tells the receiver of every new segment.
  void Announce() {
    for (const auto& a : sender_.TakeAnnouncements()) {
      const absl::Status added = receiver_.AddSegment(a.segment, a.info);
      EXPECT_TRUE(added.ok()) << added;
    }
  }

  // Another object under the name of the client's segment `number`.
  platform::NamedMapping MakeSegment(uint32_t number, uint64_t size_bytes) {
    auto made = platform::NamedMapping::Create(
        SegmentName(name_, kClientSide, number, Info(size_bytes)), size_bytes,
        {});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  const platform::ObjectName name_{platform::Scope::kLocal,
                                   UniqueName("shmrpc-test.arena")};
  ArenaSender sender_{name_, kClientSide, {}};
  ArenaReceiver receiver_{name_, kClientSide};
};

TEST_F(Arena, WhatTheSenderWritesTheReceiverReads) {
  auto block = sender_.Allocate(100000);
  ASSERT_TRUE(block.ok()) << block.status();
  std::memset(block->data, 0x5a, 100000);
  ASSERT_TRUE(sender_.HasAnnouncements());
  Announce();
  EXPECT_FALSE(sender_.HasAnnouncements());
  auto bytes = receiver_.Resolve(block->ref);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(bytes->size_bytes, 100000u);
  EXPECT_EQ(bytes->data[0], 0x5a);
  EXPECT_EQ(bytes->data[99999], 0x5a);
}

TEST_F(Arena, SegmentsAreMadeWhenNeededAndReusedAfterReturn) {
  EXPECT_EQ(sender_.SizeBytes(), 0u);
  for (int i = 0; i < 100; ++i) {
    auto block = sender_.Allocate(kMinSegmentBytes);
    ASSERT_TRUE(block.ok()) << block.status();
    ASSERT_TRUE(sender_.Return(block->ref.block).ok());
  }
  EXPECT_EQ(sender_.SizeBytes(), kMinSegmentBytes);
  EXPECT_EQ(sender_.TakeAnnouncements().size(), 1u);
}

TEST_F(Arena, EachSegmentIsAsLargeAsAllBefore) {
  std::vector<uint64_t> sizes;
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(sender_.Allocate(kMinSegmentBytes).ok());
  }
  for (const auto& a : sender_.TakeAnnouncements()) {
    sizes.push_back(a.info.size_bytes / kMinSegmentBytes);
  }
  EXPECT_THAT(sizes, ElementsAre(1, 1, 2, 4));
}

TEST_F(Arena, BlockLargerThanEverySpareSegmentGetsItsOwn) {
  const uint64_t size = kMaxSpareSegmentBytes + 1;
  auto block = sender_.Allocate(size);
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_GE(sender_.SizeBytes(), size);
  block->data[size - 1] = 1;
}

TEST_F(Arena, ImpossibleSizeIsAnErrorAndHarmsNothing) {
  EXPECT_FALSE(sender_.Allocate(~uint64_t{0}).ok());
  EXPECT_FALSE(sender_.Allocate(uint64_t{1} << 62).ok());
  EXPECT_FALSE(sender_.Allocate(0).ok());
  EXPECT_EQ(sender_.SizeBytes(), 0u);
  EXPECT_FALSE(sender_.HasAnnouncements());
  EXPECT_TRUE(sender_.Allocate(1).ok());
}

// The wrapper arena_exact_fit_test.sh limits the size of a file, and so of a
// segment, to 512 KiB.
TEST_F(Arena, ExactSizeIsTakenWhenTheGenerousOneFails) {
  if (std::getenv("SHMRPC_TEST_FILE_LIMIT") == nullptr) GTEST_SKIP();
  auto block = sender_.Allocate(100000);
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_EQ(sender_.SizeBytes(), 128u * 1024);
  EXPECT_FALSE(sender_.Allocate(600 * 1024).ok());
}

TEST_F(Arena, ReturnOfABlockNeverLentIsDataLoss) {
  EXPECT_EQ(sender_.Return(0).code(), kDataLoss);
  ASSERT_TRUE(sender_.Allocate(1).ok());
  EXPECT_EQ(sender_.Return(1).code(), kDataLoss);
  EXPECT_EQ(sender_.Return(0xffffffff).code(), kDataLoss);
  EXPECT_THAT(std::string(sender_.Return(77).message()),
              HasSubstr("the peer gave back block 77"));
}

TEST_F(Arena, ReturnTwiceIsDataLossAndFreesNothingElse) {
  auto first = sender_.Allocate(64);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(sender_.Return(first->ref.block).ok());
  // The same bytes, lent again under another number.
  auto second = sender_.Allocate(64);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->ref.offset_bytes, first->ref.offset_bytes);
  EXPECT_EQ(sender_.Return(first->ref.block).code(), kDataLoss);
  EXPECT_TRUE(sender_.Return(second->ref.block).ok());
}

TEST_F(Arena, CancelledBlockIsFreeAgain) {
  auto block = sender_.Allocate(64);
  ASSERT_TRUE(block.ok());
  sender_.Cancel(*block);
  EXPECT_EQ(sender_.Return(block->ref.block).code(), kDataLoss);
}

TEST_F(Arena, ReferenceOutsideItsSegmentIsDataLoss) {
  ASSERT_TRUE(sender_.Allocate(64).ok());
  Announce();
  const uint64_t size = kMinSegmentBytes;
  EXPECT_TRUE(receiver_.Resolve({0, 0, 0, size}).ok());
  EXPECT_TRUE(receiver_.Resolve({0, 0, size - 1, 1}).ok());
  EXPECT_TRUE(receiver_.Resolve({0, 0, size, 0}).ok());
  const BlockRef bad[] = {
      {0, 0, 0, size + 1},     {0, 0, 1, size},
      {0, 0, size, 1},         {0, 0, size + 1, 0},
      {0, 0, ~uint64_t{0}, 1}, {0, 0, ~uint64_t{0}, ~uint64_t{0}},
      {0, 0, 1, ~uint64_t{0}}, {0, 0, 64, ~uint64_t{63}},  // the sum wraps to 0
  };
  for (const BlockRef& ref : bad) {
    EXPECT_EQ(receiver_.Resolve(ref).status().code(), kDataLoss)
        << ref.size_bytes << " at " << ref.offset_bytes;
  }
}

TEST_F(Arena, ReferenceToASegmentNeverAnnouncedIsDataLoss) {
  EXPECT_EQ(receiver_.Resolve({0, 0, 0, 1}).status().code(), kDataLoss);
}

TEST_F(Arena, SegmentAnnouncedTwiceIsDataLoss) {
  ASSERT_TRUE(sender_.Allocate(64).ok());
  Announce();
  EXPECT_EQ(receiver_.AddSegment(0, Info(kMinSegmentBytes)).code(), kDataLoss);
}

constexpr absl::StatusCode kNoMemory = absl::StatusCode::kResourceExhausted;

TEST_F(Arena, SenderStopsAtItsAccount) {
  const auto account = std::make_shared<MemoryAccount>(3 * kMinSegmentBytes);
  ArenaSender sender(name_, kClientSide, {}, account);
  auto first = sender.Allocate(kMinSegmentBytes);
  auto second = sender.Allocate(kMinSegmentBytes);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(account->used_bytes(), 2 * kMinSegmentBytes);
  const auto third = sender.Allocate(kMinSegmentBytes + 1);
  EXPECT_EQ(third.status().code(), kNoMemory);
  EXPECT_THAT(std::string(third.status().message()),
              HasSubstr("2097152 of 3145728 bytes are in use"));
  // The generous size does not fit, the exact one does.
  EXPECT_TRUE(sender.Allocate(kMinSegmentBytes).ok());
}

TEST_F(Arena, SenderAtItsAccountDropsWhatLiesIdle) {
  const auto account = std::make_shared<MemoryAccount>(3 * kMinSegmentBytes);
  ArenaSender sender(name_, kClientSide, {}, account);
  auto first = sender.Allocate(kMinSegmentBytes);
  auto second = sender.Allocate(kMinSegmentBytes);
  sender.TakeAnnouncements();
  ASSERT_TRUE(sender.Return(first->ref.block).ok());
  first->view.reset();
  ASSERT_TRUE(sender.Allocate(2 * kMinSegmentBytes).ok());
  const auto announced = sender.TakeAnnouncements();
  ASSERT_EQ(announced.size(), 2u);
  EXPECT_EQ(announced[0].segment, first->ref.segment);
  EXPECT_EQ(announced[0].info.size_bytes, 0u);
  EXPECT_EQ(announced[1].info.size_bytes, 2 * kMinSegmentBytes);
  EXPECT_EQ(account->used_bytes(), 3 * kMinSegmentBytes);
}

TEST_F(Arena, AccountHasItsBytesBackWhenNobodyHoldsThem) {
  const auto account = std::make_shared<MemoryAccount>(10 * kMinSegmentBytes);
  Block kept;
  {
    ArenaSender sender(name_, kClientSide, {}, account);
    kept = *sender.Allocate(100);
  }
  EXPECT_EQ(account->used_bytes(), kMinSegmentBytes);
  kept.view.reset();
  EXPECT_EQ(account->used_bytes(), 0u);
}

TEST_F(Arena, ReceiverRefusesWhatItsAccountHasNoRoomFor) {
  const auto account = std::make_shared<MemoryAccount>(kMinSegmentBytes - 1);
  ArenaReceiver receiver(name_, kClientSide, account);
  auto block = sender_.Allocate(100);
  const auto announced = sender_.TakeAnnouncements();
  ASSERT_EQ(announced.size(), 1u);
  EXPECT_EQ(receiver.AddSegment(0, announced[0].info).code(), kNoMemory);
  EXPECT_EQ(account->used_bytes(), 0u);
  // The name is freed all the same, and a block is known but cannot be read.
  EXPECT_THAT(Leftovers(name_.name), IsEmpty());
  auto bytes = receiver.Resolve(block->ref);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->view, nullptr);
  EXPECT_EQ(receiver.AddSegment(0, Info(64)).code(), kDataLoss);
  EXPECT_TRUE(receiver.DropSegment(0).ok());
  EXPECT_EQ(receiver.Resolve(block->ref).status().code(), kDataLoss);
  EXPECT_EQ(receiver.DropSegment(0).code(), kDataLoss);
}

TEST_F(Arena, RefusedSegmentsCountTowardsTheLimit) {
  ArenaReceiver receiver(name_, kClientSide,
                         std::make_shared<MemoryAccount>(0));
  for (uint32_t i = 0; i < kMaxSegments; ++i) {
    auto object = MakeSegment(i, 4096);
    ASSERT_EQ(receiver.AddSegment(i, Info(4096)).code(), kNoMemory) << i;
  }
  auto object = MakeSegment(kMaxSegments, 4096);
  EXPECT_EQ(receiver.AddSegment(kMaxSegments, Info(4096)).code(), kDataLoss);
  ASSERT_TRUE(receiver.DropSegment(0).ok());
  EXPECT_EQ(receiver.AddSegment(kMaxSegments, Info(4096)).code(), kNoMemory);
}

TEST_F(Arena, RefusedSegmentIsUsedNoMoreAndDroppedWhenItsBlocksAreBack) {
  auto first = sender_.Allocate(100);
  auto second = sender_.Allocate(100);
  Announce();
  ASSERT_TRUE(sender_.Refused(0).ok());
  EXPECT_EQ(sender_.Refused(0).code(), kDataLoss);
  auto third = sender_.Allocate(100);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(third->ref.segment, 1u);
  EXPECT_EQ(sender_.TakeAnnouncements().size(), 1u);
  ASSERT_TRUE(sender_.Return(first->ref.block).ok());
  EXPECT_FALSE(sender_.HasAnnouncements());
  ASSERT_TRUE(sender_.Return(second->ref.block).ok());
  const auto announced = sender_.TakeAnnouncements();
  ASSERT_EQ(announced.size(), 1u);
  EXPECT_EQ(announced[0].segment, 0u);
  EXPECT_EQ(announced[0].info.size_bytes, 0u);
  EXPECT_EQ(sender_.Refused(0).code(), kDataLoss);
  EXPECT_EQ(sender_.SizeBytes(), kMinSegmentBytes);
}

TEST_F(Arena, RefusalOfASegmentThatIsNotThereIsDataLoss) {
  EXPECT_EQ(sender_.Refused(0).code(), kDataLoss);
}

TEST_F(Arena, DroppedSegmentStaysForWhoHoldsItsView) {
  auto block = sender_.Allocate(100);
  std::memset(block->data, 0x5a, 100);
  Announce();
  const auto bytes = receiver_.Resolve(block->ref);
  ASSERT_TRUE(bytes.ok());
  ASSERT_TRUE(receiver_.DropSegment(0).ok());
  EXPECT_EQ(bytes->data[99], 0x5a);
}

TEST_F(Arena, SegmentSmallerThanAnnouncedIsDataLoss) {
  auto object = MakeSegment(3, 64 * 1024);
  EXPECT_EQ(receiver_.AddSegment(3, Info(1 << 20)).code(), kDataLoss);
  EXPECT_EQ(receiver_.Resolve({3, 0, 0, 1}).status().code(), kDataLoss);
}

TEST_F(Arena, AnnouncementOfNothingIsAnError) {
  EXPECT_EQ(receiver_.AddSegment(0, Info(1 << 20)).code(),
            absl::StatusCode::kNotFound);
  auto object = MakeSegment(1, 64 * 1024);
  EXPECT_FALSE(receiver_.AddSegment(1, Info(0)).ok());
}

TEST_F(Arena, ReceiverBelievesTheAnnouncementNotMore) {
  // A larger object: only what was announced is mapped.
  auto object = MakeSegment(0, 1 << 20);
  ASSERT_TRUE(receiver_.AddSegment(0, Info(64 * 1024)).ok());
  EXPECT_TRUE(receiver_.Resolve({0, 0, 0, 64 * 1024}).ok());
  EXPECT_EQ(receiver_.Resolve({0, 0, 64 * 1024, 1}).status().code(), kDataLoss);
}

TEST_F(Arena, MoreSegmentsThanTheLimitAreRefused) {
  std::vector<platform::NamedMapping> objects;
  for (uint32_t i = 0; i < kMaxSegments; ++i) {
    objects.push_back(MakeSegment(i, 4096));
    ASSERT_TRUE(receiver_.AddSegment(i, Info(4096)).ok()) << i;
  }
  objects.push_back(MakeSegment(kMaxSegments, 4096));
  EXPECT_EQ(receiver_.AddSegment(kMaxSegments, Info(4096)).code(), kDataLoss);
}

TEST_F(Arena, SegmentsLoseTheirNamesOnceMapped) {
  ASSERT_TRUE(sender_.Allocate(64).ok());
  Announce();
  EXPECT_THAT(Leftovers(name_.name), IsEmpty());
}

TEST_F(Arena, ResolvedBytesOutliveTheReceiver) {
  auto block = sender_.Allocate(64);
  ASSERT_TRUE(block.ok());
  block->data[0] = 9;
  ArenaReceiver::Bytes bytes{};
  {
    ArenaReceiver other(name_, kClientSide);
    for (const auto& a : sender_.TakeAnnouncements()) {
      ASSERT_TRUE(other.AddSegment(a.segment, a.info).ok());
    }
    auto resolved = other.Resolve(block->ref);
    ASSERT_TRUE(resolved.ok());
    bytes = *std::move(resolved);
  }
  EXPECT_EQ(bytes.data[0], 9);
}

TEST(SegmentName, SaysForWhomItIsKept) {
  const auto kept = [](platform::ProcessId process) {
    const platform::ObjectName base{platform::Scope::kLocal, "shmrpc.conn.N"};
    return IsKeptForAProcess(
        SegmentName(base, kServerSide, 12,
                    {1, 2, process.start_time, process.pid, 0})
            .name);
  };
  platform::ProcessId process = platform::CurrentProcess();
  EXPECT_TRUE(kept(process));
  EXPECT_FALSE(kept({}));
  ++process.start_time;
  EXPECT_FALSE(kept(process)) << "another one that had the pid before";
  for (const char* name : {"", ".", "shmrpc.srv.a.b.c.d", "c0.1.2", "c.1.2.3",
                           "shmrpc.conn.N.c0.1.zz.1"}) {
    EXPECT_FALSE(IsKeptForAProcess(name)) << name;
  }
}

TEST_F(Arena, RandomUseNeverLendsTheSameByteTwice) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  struct Lent {
    Block block;
    uint8_t fill;
  };
  std::vector<Lent> lent;
  for (int step = 0; step < 2000; ++step) {
    if (lent.size() < 20 && random() % 2 == 0) {
      auto block = sender_.Allocate(1 + random() % 200000);
      ASSERT_TRUE(block.ok()) << block.status();
      const uint8_t fill = static_cast<uint8_t>(step);
      std::memset(block->data, fill, block->ref.size_bytes);
      lent.push_back({*std::move(block), fill});
      Announce();
    } else if (!lent.empty()) {
      const size_t i = random() % lent.size();
      auto bytes = receiver_.Resolve(lent[i].block.ref);
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      for (uint64_t at :
           {uint64_t{0}, bytes->size_bytes / 2, bytes->size_bytes - 1}) {
        ASSERT_EQ(bytes->data[at], lent[i].fill) << "step " << step;
      }
      ASSERT_TRUE(sender_.Return(lent[i].block.ref.block).ok());
      lent.erase(lent.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace
}  // namespace memory
}  // namespace shmrpc
