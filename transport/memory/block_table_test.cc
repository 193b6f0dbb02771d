#include "transport/memory/block_table.h"

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace memory {
namespace {

using ::shmrpc::testing::TestSeed;

constexpr uint64_t kGranule = BlockTable::kGranuleBytes;

TEST(BlockTable, BlocksStartOnCacheLinesAndDoNotOverlap) {
  BlockTable table(1024);
  EXPECT_EQ(table.Allocate(1), 0u);
  EXPECT_EQ(table.Allocate(65), 64u);
  EXPECT_EQ(table.Allocate(64), 192u);
}

TEST(BlockTable, WholeSegmentIsOneBlock) {
  BlockTable table(1024);
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.Allocate(1024), 0u);
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.Allocate(1), absl::nullopt);
  EXPECT_TRUE(table.Free(0));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.Allocate(1024), 0u);
}

TEST(BlockTable, ImpossibleSizesAreRefused) {
  BlockTable table(1024);
  EXPECT_EQ(table.Allocate(0), absl::nullopt);
  EXPECT_EQ(table.Allocate(1025), absl::nullopt);
  EXPECT_EQ(table.Allocate(~uint64_t{0}), absl::nullopt);
  EXPECT_TRUE(table.empty());
}

TEST(BlockTable, UnknownOffsetsAreNotFreed) {
  BlockTable table(1024);
  EXPECT_FALSE(table.Free(0));
  ASSERT_EQ(table.Allocate(128), 0u);
  EXPECT_FALSE(table.Free(64)) << "within a block";
  EXPECT_FALSE(table.Free(4096));
  EXPECT_TRUE(table.Free(0));
  EXPECT_FALSE(table.Free(0)) << "twice";
}

TEST(BlockTable, NeighboursMergeInEveryOrder) {
  const std::vector<std::vector<uint64_t>> orders = {
      {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    BlockTable table(3 * kGranule);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(table.Allocate(kGranule));
    for (uint64_t i : order) ASSERT_TRUE(table.Free(i * kGranule));
    EXPECT_EQ(table.Allocate(3 * kGranule), 0u);
  }
}

// First fit over a map of granules.
class NaiveTable {
 public:
  explicit NaiveTable(uint64_t granules) : used_(granules) {}

  absl::optional<uint64_t> Allocate(uint64_t size_bytes) {
    const uint64_t need = (size_bytes + kGranule - 1) / kGranule;
    for (uint64_t at = 0; at + need <= used_.size(); ++at) {
      uint64_t n = 0;
      while (n < need && !used_[at + n]) ++n;
      if (n < need) continue;
      for (n = 0; n < need; ++n) used_[at + n] = true;
      lent_[at * kGranule] = need;
      return at * kGranule;
    }
    return absl::nullopt;
  }

  void Free(uint64_t offset) {
    for (uint64_t n = 0; n < lent_[offset]; ++n) {
      used_[offset / kGranule + n] = false;
    }
    lent_.erase(offset);
  }

  const std::map<uint64_t, uint64_t>& lent() const { return lent_; }

 private:
  std::vector<bool> used_;
  std::map<uint64_t, uint64_t> lent_;  // offset -> granules
};

TEST(BlockTable, RandomUseMatchesANaiveFirstFit) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  constexpr uint64_t kGranules = 64;
  BlockTable table(kGranules * kGranule);
  NaiveTable naive(kGranules);
  int refused = 0;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 2 == 0) {
      const uint64_t size = 1 + random() % (10 * kGranule);
      const auto offset = table.Allocate(size);
      ASSERT_EQ(offset, naive.Allocate(size)) << "step " << step;
      refused += !offset;
    } else {
      const uint64_t offset = random() % kGranules * kGranule;
      const bool lent = naive.lent().count(offset) != 0;
      ASSERT_EQ(table.Free(offset), lent) << "step " << step;
      if (lent) naive.Free(offset);
    }
    ASSERT_EQ(table.empty(), naive.lent().empty());
  }
  EXPECT_GT(refused, 100) << "the test never filled the segment";
}

}  // namespace
}  // namespace memory
}  // namespace shmrpc
