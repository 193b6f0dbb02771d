#include "transport/memory/memory_account.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace shmrpc {
namespace memory {
namespace {

std::shared_ptr<MemoryAccount> Account(
    uint64_t limit_bytes, std::shared_ptr<MemoryAccount> whole = nullptr) {
  return std::make_shared<MemoryAccount>(limit_bytes, std::move(whole));
}

TEST(MemoryAccount, ChargesToItsLimitExactly) {
  MemoryAccount account(100);
  EXPECT_TRUE(account.TryCharge(60));
  EXPECT_FALSE(account.TryCharge(41));
  EXPECT_EQ(account.used_bytes(), 60u);
  EXPECT_TRUE(account.TryCharge(40));
  EXPECT_FALSE(account.TryCharge(1));
  EXPECT_TRUE(account.TryCharge(0));
  account.Release(60);
  EXPECT_TRUE(account.TryCharge(60));
}

TEST(MemoryAccount, EnormousChargeDoesNotOverflow) {
  MemoryAccount account(UINT64_MAX);
  EXPECT_TRUE(account.TryCharge(2));
  EXPECT_FALSE(account.TryCharge(UINT64_MAX));
  EXPECT_FALSE(account.TryCharge(UINT64_MAX - 1));
  EXPECT_EQ(account.used_bytes(), 2u);
}

TEST(MemoryAccount, LimitBelowUseChargesNothingMore) {
  MemoryAccount account(100);
  EXPECT_TRUE(account.TryCharge(80));
  account.SetLimit(50);
  EXPECT_FALSE(account.TryCharge(1));
  account.Release(80);
  EXPECT_TRUE(account.TryCharge(50));
}

TEST(MemoryAccount, WholeLimitsAllOfIt) {
  const auto whole = Account(100);
  MemoryAccount one(80, whole);
  MemoryAccount other(80, whole);
  EXPECT_TRUE(one.TryCharge(70));
  EXPECT_FALSE(other.TryCharge(31));
  EXPECT_EQ(other.used_bytes(), 0u);
  EXPECT_TRUE(other.TryCharge(30));
  EXPECT_EQ(whole->used_bytes(), 100u);
  one.Release(70);
  EXPECT_EQ(whole->used_bytes(), 30u);
}

TEST(MemoryAccount, DescriptionNamesTheTighterLimit) {
  const auto whole = Account(100);
  MemoryAccount one(80, whole);
  MemoryAccount other(80, whole);
  EXPECT_TRUE(one.TryCharge(70));
  EXPECT_EQ(one.Describe(), "70 of 80 bytes are in use");
  EXPECT_EQ(other.Describe(), "70 of 100 bytes are in use by all clients");
}

TEST(MemoryAccount, ThreadsTogetherNeverExceedIt) {
  constexpr uint64_t kLimit = 1000;
  MemoryAccount account(kLimit);
  std::atomic<uint64_t> held{0};
  std::atomic<uint64_t> most{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000000; ++i) {
        const uint64_t bytes = 100 * t + static_cast<uint64_t>(i % 7);
        if (!account.TryCharge(bytes)) continue;
        const uint64_t now = held.fetch_add(bytes) + bytes;
        uint64_t before = most.load();
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        held.fetch_sub(bytes);
        account.Release(bytes);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_LE(most.load(), kLimit);
  EXPECT_EQ(account.used_bytes(), 0u);
}

TEST(Charge, IsGivenBackOnce) {
  const auto account = Account(100);
  {
    Charge charge;
    EXPECT_TRUE(charge.Take(account, 60));
    Charge moved = std::move(charge);
    EXPECT_EQ(moved.bytes(), 60u);
    Charge assigned;
    assigned = std::move(moved);
    EXPECT_EQ(account->used_bytes(), 60u);
  }
  EXPECT_EQ(account->used_bytes(), 0u);
}

TEST(Charge, TakenAgainReplacesWhatItHad) {
  const auto account = Account(100);
  Charge charge;
  EXPECT_TRUE(charge.Take(account, 60));
  EXPECT_TRUE(charge.Take(account, 90));
  EXPECT_EQ(account->used_bytes(), 90u);
  EXPECT_FALSE(charge.Take(account, 101));
  EXPECT_EQ(account->used_bytes(), 0u);
  EXPECT_TRUE(charge.Take(nullptr, UINT64_MAX));
}

}  // namespace
}  // namespace memory
}  // namespace shmrpc
