#include "shmrpc/time.h"

#include <chrono>
#include <cstdint>

#include "gtest/gtest.h"
#include "transport/platform/clock.h"

namespace shmrpc {
namespace internal {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

template <class Clock>
class Time : public ::testing::Test {};
using Clocks = ::testing::Types<system_clock, steady_clock>;
TYPED_TEST_SUITE(Time, Clocks);

TYPED_TEST(Time, DeadlineIsNowPlusTheDistance) {
  constexpr int64_t kHourNs = 3600ll * 1000000000;
  const int64_t before_ns = platform::MonotonicNowNs();
  const int64_t deadline_ns = DeadlineNs(TypeParam::now() + hours(1));
  const int64_t after_ns = platform::MonotonicNowNs();
  // Two clocks read one after the other; how long that takes is anybody's
  // guess, but it is not a minute too early.
  EXPECT_GE(deadline_ns, before_ns + kHourNs - kHourNs / 60);
  EXPECT_LE(deadline_ns, after_ns + kHourNs);
}

TYPED_TEST(Time, PastStaysPast) {
  EXPECT_LT(DeadlineNs(TypeParam::now() - milliseconds(1)),
            platform::MonotonicNowNs());
  EXPECT_GE(DeadlineNs(TypeParam::now() - hours(24 * 365 * 20)), 0);
}

TYPED_TEST(Time, FarthestFutureIsInfinite) {
  EXPECT_EQ(DeadlineNs(TypeParam::time_point::max()), kInfiniteFutureNs);
  EXPECT_EQ(DeadlineNs(TypeParam::time_point::max() - hours(1)),
            kInfiniteFutureNs);
}

TYPED_TEST(Time, FarthestPastIsPast) {
  const int64_t deadline_ns = DeadlineNs(TypeParam::time_point::min());
  EXPECT_GE(deadline_ns, 0);
  EXPECT_LT(deadline_ns, platform::MonotonicNowNs());
}

TEST(SystemTime, InfiniteIsTheEndOfTime) {
  EXPECT_EQ(SystemTime(kInfiniteFutureNs), system_clock::time_point::max());
}

TEST(SystemTime, DeadlinesComeBack) {
  const auto deadline = system_clock::now() + hours(5);
  const auto again = SystemTime(DeadlineNs(deadline));
  EXPECT_LT(deadline - again, hours(1));
  EXPECT_LT(again - deadline, hours(1));
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
