#include "transport/rpc/backoff.h"

#include "gtest/gtest.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr int64_t kMillisecondNs = 1000 * 1000;

BackoffOptions FromMs(int initial_ms, int min_ms, int max_ms) {
  ChannelArguments arguments;
  if (initial_ms >= 0) {
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, initial_ms);
  }
  if (min_ms >= 0) arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, min_ms);
  if (max_ms >= 0) arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, max_ms);
  return BackoffFromArguments(arguments);
}

void ExpectMs(const BackoffOptions& options, int64_t initial_ms, int64_t min_ms,
              int64_t max_ms) {
  EXPECT_EQ(options.initial_ns, initial_ms * kMillisecondNs);
  EXPECT_EQ(options.min_ns, min_ms * kMillisecondNs);
  EXPECT_EQ(options.max_ns, max_ms * kMillisecondNs);
}

TEST(Backoff, NothingSetIsOurs) { ExpectMs(FromMs(-1, -1, -1), 10, 0, 1000); }

TEST(Backoff, ArgumentsAreTaken) { ExpectMs(FromMs(50, 20, 300), 50, 20, 300); }

TEST(Backoff, ZeroIsAMillisecond) { ExpectMs(FromMs(0, 0, 0), 1, 1, 1); }

TEST(Backoff, MaximumThatWasSetBeatsTheInitialValue) {
  ExpectMs(FromMs(-1, -1, 5), 5, 0, 5);
  ExpectMs(FromMs(70, -1, 60), 60, 0, 60);
}

TEST(Backoff, InitialValueBeatsTheDefaultMaximum) {
  ExpectMs(FromMs(4000, -1, -1), 4000, 0, 4000);
}

TEST(Backoff, MinimumBeatsTheMaximum) {
  ExpectMs(FromMs(1, 40, 2), 40, 40, 40);
}

TEST(Backoff, LongestArgumentsDoNotOverflow) {
  ExpectMs(FromMs(2147483647, 2147483647, 2147483647), 2147483647, 2147483647,
           2147483647);
}

TEST(Backoff, PausesGrowToTheMaximumWithJitter) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Backoff backoff({100, 0, 1000}, seed);
    double middle = 100;
    for (int i = 0; i < 20; ++i) {
      const int64_t pause_ns = backoff.NextNs();
      EXPECT_GE(pause_ns, static_cast<int64_t>(middle * 0.8) - 1);
      EXPECT_LE(pause_ns, static_cast<int64_t>(middle * 1.2) + 1);
      middle = middle * 1.6 > 1000 ? 1000 : middle * 1.6;
    }
  }
}

TEST(Backoff, NoPauseIsBelowTheMinimum) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    Backoff backoff({100, 100, 100}, seed);
    for (int i = 0; i < 20; ++i) EXPECT_GE(backoff.NextNs(), 100);
  }
}

TEST(Backoff, SeedsDiffer) {
  EXPECT_NE(Backoff({1000000, 0, 1000000}, 1).NextNs(),
            Backoff({1000000, 0, 1000000}, 2000000).NextNs());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
