#include "transport/link/client_quotas.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace shmrpc {
namespace link {
namespace {

constexpr platform::ProcessId kOne{100, 1};
constexpr platform::ProcessId kOther{200, 1};
constexpr platform::ProcessId kOneReborn{100, 2};

ClientQuotas::Limits Limits() {
  ClientQuotas::Limits limits;
  limits.client_connections = 2;
  limits.connections = 5;
  limits.client_memory_bytes = 1000;
  limits.client_calls = 3;
  return limits;
}

TEST(ClientQuotas, ConnectionsOfOneProcessAreLimited) {
  ClientQuotas quotas(Limits());
  auto first = quotas.Admit(kOne, 0);
  auto second = quotas.Admit(kOne, 0);
  ASSERT_NE(second.seat, nullptr);
  auto third = quotas.Admit(kOne, 0);
  EXPECT_EQ(third.seat, nullptr);
  EXPECT_EQ(third.refusal, memory::kRefusedClientConnections);
  EXPECT_EQ(third.limit, 2u);
  // Not the other one's trouble, nor that of one that was given the same pid.
  EXPECT_NE(quotas.Admit(kOther, 0).seat, nullptr);
  EXPECT_NE(quotas.Admit(kOneReborn, 0).seat, nullptr);
  first.seat.reset();
  EXPECT_NE(quotas.Admit(kOne, 0).seat, nullptr);
}

TEST(ClientQuotas, ConnectionsOfAllAreLimited) {
  ClientQuotas quotas(Limits());
  std::vector<ClientQuotas::Admitted> admitted;
  for (uint32_t i = 0; i < 5; ++i) {
    admitted.push_back(quotas.Admit({i, 1}, 0));
    ASSERT_NE(admitted.back().seat, nullptr);
  }
  const auto refused = quotas.Admit(kOne, 0);
  EXPECT_EQ(refused.refusal, memory::kRefusedConnections);
  EXPECT_EQ(refused.limit, 5u);
  EXPECT_EQ(quotas.clients(), 5u);
  admitted.clear();
  EXPECT_EQ(quotas.clients(), 0u);
  EXPECT_NE(quotas.Admit(kOne, 0).seat, nullptr);
}

TEST(ClientQuotas, MemoryIsSharedByConnectionsOfOneProcess) {
  ClientQuotas quotas(Limits());
  auto first = quotas.Admit(kOne, 300);
  auto second = quotas.Admit(kOne, 300);
  EXPECT_EQ(first.seat->memory_account(), second.seat->memory_account());
  EXPECT_EQ(first.seat->memory_account()->used_bytes(), 600u);
  second.seat.reset();
  EXPECT_EQ(first.seat->memory_account()->used_bytes(), 300u);
  EXPECT_EQ(quotas.Admit(kOne, 701).refusal, memory::kRefusedClientMemory);
  auto other = quotas.Admit(kOther, 1000);
  ASSERT_NE(other.seat, nullptr);
  EXPECT_NE(other.seat->memory_account(), first.seat->memory_account());
}

TEST(ClientQuotas, RefusedNewcomerLeavesNothing) {
  ClientQuotas quotas(Limits());
  EXPECT_EQ(quotas.Admit(kOne, 1001).seat, nullptr);
  EXPECT_EQ(quotas.clients(), 0u);
}

TEST(ClientQuotas, MemoryOfAllLimitsEachOfThem) {
  ClientQuotas::Limits limits = Limits();
  limits.memory = std::make_shared<memory::MemoryAccount>(1200);
  ClientQuotas quotas(limits);
  auto one = quotas.Admit(kOne, 1000);
  ASSERT_NE(one.seat, nullptr);
  EXPECT_EQ(quotas.Admit(kOther, 201).refusal, memory::kRefusedClientMemory);
  EXPECT_NE(quotas.Admit(kOther, 200).seat, nullptr);
}

TEST(ClientQuotas, CallsOfOneProcessAreLimitedOverItsConnections) {
  ClientQuotas quotas(Limits());
  auto first = quotas.Admit(kOne, 0);
  auto second = quotas.Admit(kOne, 0);
  auto other = quotas.Admit(kOther, 0);
  EXPECT_TRUE(first.seat->TryBeginCall());
  EXPECT_TRUE(first.seat->TryBeginCall());
  EXPECT_TRUE(second.seat->TryBeginCall());
  EXPECT_FALSE(first.seat->TryBeginCall());
  EXPECT_FALSE(second.seat->TryBeginCall());
  EXPECT_TRUE(other.seat->TryBeginCall());
  second.seat->EndCall();
  EXPECT_TRUE(first.seat->TryBeginCall());
}

TEST(ClientQuotas, CallsOfManyThreadsNeverExceedTheLimit) {
  ClientQuotas quotas(Limits());
  auto one = quotas.Admit(kOne, 0);
  std::atomic<int> running{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000000; ++i) {
        if (!one.seat->TryBeginCall()) continue;
        if (running.fetch_add(1) >= 3) exceeded = true;
        running.fetch_sub(1);
        one.seat->EndCall();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_FALSE(exceeded);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(one.seat->TryBeginCall());
}

TEST(ClientQuotas, RefusalsAreLoggedMoreAndMoreSeldom) {
  ClientQuotas quotas(Limits());
  auto first = quotas.Admit(kOne, 0);
  auto second = quotas.Admit(kOne, 0);
  int logged = 0;
  for (int i = 0; i < 1000; ++i) logged += quotas.Admit(kOne, 0).log ? 1 : 0;
  EXPECT_EQ(logged, 10);
}

TEST(ClientQuotas, SeatOutlivesThem) {
  auto quotas = std::make_unique<ClientQuotas>(Limits());
  auto one = quotas->Admit(kOne, 10);
  quotas.reset();
  EXPECT_TRUE(one.seat->TryBeginCall());
  one.seat->EndCall();
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
