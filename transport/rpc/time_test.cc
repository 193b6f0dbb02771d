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

TEST(SystemTime, WhatIsTooFarIsTheEndOfTimeOrBeforeNow) {
  EXPECT_EQ(SystemTime(kInfiniteFutureNs - 1), system_clock::time_point::max());
  EXPECT_LT(SystemTime(0), system_clock::now());
  EXPECT_LT(SystemTime(INT64_MIN), system_clock::now());
}

TEST(SystemTime, DeadlinesComeBack) {
  const auto deadline = system_clock::now() + hours(5);
  const auto again = SystemTime(DeadlineNs(deadline));
  EXPECT_LT(deadline - again, hours(1));
  EXPECT_LT(again - deadline, hours(1));
}

constexpr gpr_clock_type kClocks[] = {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME,
                                      GPR_CLOCK_PRECISE, GPR_TIMESPAN};

void ExpectSame(gpr_timespec a, gpr_timespec b) {
  EXPECT_EQ(a.tv_sec, b.tv_sec);
  EXPECT_EQ(a.tv_nsec, b.tv_nsec);
  EXPECT_EQ(a.clock_type, b.clock_type);
  EXPECT_EQ(gpr_time_cmp(a, b), 0);
}

gpr_timespec Span(int64_t s, int32_t ns) { return {s, ns, GPR_TIMESPAN}; }
gpr_timespec Real(int64_t s, int32_t ns) { return {s, ns, GPR_CLOCK_REALTIME}; }

TEST(GprTime, NowIsTheClocks) {
  const int64_t before_ns = platform::MonotonicNowNs();
  const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
  const int64_t after_ns = platform::MonotonicNowNs();
  EXPECT_EQ(now.clock_type, GPR_CLOCK_MONOTONIC);
  EXPECT_GE(now.tv_sec * 1000000000 + now.tv_nsec, before_ns);
  EXPECT_LE(now.tv_sec * 1000000000 + now.tv_nsec, after_ns);
  for (gpr_clock_type clock : {GPR_CLOCK_REALTIME, GPR_CLOCK_PRECISE}) {
    const gpr_timespec real = gpr_now(clock);
    EXPECT_EQ(real.clock_type, clock);
    const auto system = system_clock::now().time_since_epoch();
    EXPECT_NEAR(
        static_cast<double>(real.tv_sec),
        static_cast<double>(
            std::chrono::duration_cast<std::chrono::seconds>(system).count()),
        600);
  }
  ExpectSame(gpr_now(GPR_TIMESPAN), Span(0, 0));
}

TEST(GprTime, UnitsBecomeSecondsAndNanoseconds) {
  ExpectSame(gpr_time_from_nanos(1000000001, GPR_TIMESPAN), Span(1, 1));
  ExpectSame(gpr_time_from_nanos(-1, GPR_TIMESPAN), Span(-1, 999999999));
  ExpectSame(gpr_time_from_nanos(-1000000000, GPR_TIMESPAN), Span(-1, 0));
  ExpectSame(gpr_time_from_micros(2000003, GPR_TIMESPAN), Span(2, 3000));
  ExpectSame(gpr_time_from_micros(-1, GPR_TIMESPAN), Span(-1, 999999000));
  ExpectSame(gpr_time_from_millis(1500, GPR_TIMESPAN), Span(1, 500000000));
  ExpectSame(gpr_time_from_millis(-1500, GPR_TIMESPAN), Span(-2, 500000000));
  ExpectSame(gpr_time_from_seconds(-7, GPR_CLOCK_REALTIME), Real(-7, 0));
  ExpectSame(gpr_time_from_minutes(2, GPR_CLOCK_REALTIME), Real(120, 0));
  ExpectSame(gpr_time_from_hours(-2, GPR_CLOCK_REALTIME), Real(-7200, 0));
}

TEST(GprTime, UnitsBeyondTheRangeAreInfinite) {
  for (gpr_clock_type clock : kClocks) {
    for (auto from :
         {gpr_time_from_nanos, gpr_time_from_micros, gpr_time_from_millis,
          gpr_time_from_seconds, gpr_time_from_minutes, gpr_time_from_hours}) {
      ExpectSame(from(INT64_MAX, clock), gpr_inf_future(clock));
      ExpectSame(from(INT64_MIN, clock), gpr_inf_past(clock));
      ExpectSame(from(0, clock), gpr_time_0(clock));
    }
  }
  ExpectSame(gpr_time_from_hours(INT64_MAX / 3600 + 1, GPR_TIMESPAN),
             gpr_inf_future(GPR_TIMESPAN));
  ExpectSame(gpr_time_from_minutes(INT64_MIN / 60 - 1, GPR_TIMESPAN),
             gpr_inf_past(GPR_TIMESPAN));
}

TEST(GprTime, SumsCarry) {
  ExpectSame(gpr_time_add(Real(1, 600000000), Span(2, 500000000)),
             Real(4, 100000000));
  ExpectSame(gpr_time_add(Real(1, 0), Span(-2, 999999999)),
             Real(-1, 999999999));
  ExpectSame(gpr_time_sub(Real(5, 100000000), Span(2, 200000000)),
             Real(2, 900000000));
  // The distance of two points is a length.
  ExpectSame(gpr_time_sub(Real(5, 0), Real(7, 1)), Span(-3, 999999999));
  ExpectSame(gpr_time_sub(Span(5, 0), Span(3, 0)), Span(2, 0));
}

TEST(GprTime, SumsThatOverflowAreInfinite) {
  const auto future = gpr_inf_future(GPR_CLOCK_REALTIME);
  const auto past = gpr_inf_past(GPR_CLOCK_REALTIME);
  const gpr_timespec late = Real(INT64_MAX - 1, 999999999);
  const gpr_timespec early = Real(INT64_MIN + 1, 0);
  ExpectSame(gpr_time_add(late, Span(0, 1)), future);
  ExpectSame(gpr_time_add(late, Span(INT64_MAX - 1, 0)), future);
  ExpectSame(gpr_time_add(early, Span(-1, 999999999)), past);
  ExpectSame(gpr_time_add(early, Span(INT64_MIN + 1, 0)), past);
  ExpectSame(gpr_time_sub(late, Span(-1, 0)), future);
  ExpectSame(gpr_time_sub(early, Span(0, 1)), past);
  ExpectSame(gpr_time_sub(late, early), gpr_inf_future(GPR_TIMESPAN));
  ExpectSame(gpr_time_sub(early, late), gpr_inf_past(GPR_TIMESPAN));
  ExpectSame(gpr_time_sub(Real(0, 0), Span(INT64_MIN, 0)), future);
  ExpectSame(gpr_time_sub(Real(-2, 0), Span(INT64_MAX, 0)), past);
  // What the nanoseconds carry does not bring it back.
  ExpectSame(gpr_time_sub(Real(INT64_MAX - 1, 0), Span(-5, 1)), future);
  ExpectSame(gpr_time_add(Real(INT64_MIN + 1, 999999999), Span(-5, 999999999)),
             past);
}

TEST(GprTime, InfinityStays) {
  for (gpr_clock_type clock : kClocks) {
    const gpr_timespec future = gpr_inf_future(clock);
    const gpr_timespec past = gpr_inf_past(clock);
    for (const gpr_timespec& span : {Span(0, 0), Span(0, 1), Span(-1, 0),
                                     Span(INT64_MAX, 0), Span(INT64_MIN, 0)}) {
      ExpectSame(gpr_time_add(future, span), future);
      ExpectSame(gpr_time_add(past, span), past);
      ExpectSame(gpr_time_sub(future, span), future);
      ExpectSame(gpr_time_sub(past, span), past);
    }
  }
}

TEST(GprTime, IsOrdered) {
  const gpr_timespec ascending[] = {gpr_inf_past(GPR_CLOCK_REALTIME),
                                    Real(-1, 0),
                                    Real(-1, 999999999),
                                    Real(0, 0),
                                    Real(0, 1),
                                    Real(1, 0),
                                    gpr_inf_future(GPR_CLOCK_REALTIME)};
  for (const gpr_timespec& a : ascending) {
    for (const gpr_timespec& b : ascending) {
      EXPECT_EQ(gpr_time_cmp(a, b), (&a > &b) - (&a < &b));
    }
  }
  // Infinite is infinite, whatever else is in it.
  EXPECT_EQ(
      gpr_time_cmp(Real(INT64_MAX, 5), gpr_inf_future(GPR_CLOCK_REALTIME)), 0);
}

TEST(GprTime, DeadlineIsNowPlusTheDistance) {
  constexpr int64_t kHourNs = 3600ll * 1000000000;
  for (gpr_clock_type clock : kClocks) {
    const int64_t before_ns = platform::MonotonicNowNs();
    const int64_t deadline_ns = DeadlineNs(
        gpr_time_add(gpr_now(clock), gpr_time_from_hours(1, GPR_TIMESPAN)));
    const int64_t after_ns = platform::MonotonicNowNs();
    EXPECT_GE(deadline_ns, before_ns + kHourNs - kHourNs / 60) << clock;
    EXPECT_LE(deadline_ns, after_ns + kHourNs + kHourNs / 60) << clock;
  }
}

TEST(GprTime, MonotonicDeadlineIsExact) {
  EXPECT_EQ(DeadlineNs({5, 7, GPR_CLOCK_MONOTONIC}), 5000000007);
  EXPECT_EQ(DeadlineNs({0, 0, GPR_CLOCK_MONOTONIC}), 0);
  EXPECT_EQ(DeadlineNs({-5, 7, GPR_CLOCK_MONOTONIC}), 0);
}

TEST(GprTime, FarDeadlinesAreInfiniteOrPast) {
  for (gpr_clock_type clock : kClocks) {
    EXPECT_EQ(DeadlineNs(gpr_inf_future(clock)), kInfiniteFutureNs);
    EXPECT_EQ(DeadlineNs({INT64_MAX - 1, 999999999, clock}), kInfiniteFutureNs);
    EXPECT_EQ(DeadlineNs({INT64_MAX / 1000000000, INT32_MAX, clock}),
              kInfiniteFutureNs);
    for (int64_t seconds : {INT64_MIN, INT64_MIN + 1, INT64_MIN / 1000000000}) {
      const int64_t deadline_ns = DeadlineNs({seconds, INT32_MIN, clock});
      EXPECT_GE(deadline_ns, 0) << clock;
      EXPECT_LT(deadline_ns, platform::MonotonicNowNs()) << clock;
    }
  }
}

TEST(GprTime, RawDeadlineIsTheSystemTime) {
  ExpectSame(RawDeadline(kInfiniteFutureNs),
             gpr_inf_future(GPR_CLOCK_REALTIME));
  const gpr_timespec hour = gpr_time_from_hours(1, GPR_TIMESPAN);
  const gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), hour);
  const gpr_timespec again = RawDeadline(DeadlineNs(deadline));
  EXPECT_EQ(again.clock_type, GPR_CLOCK_REALTIME);
  EXPECT_LT(gpr_time_cmp(gpr_time_sub(again, deadline), hour), 0);
  EXPECT_LT(gpr_time_cmp(gpr_time_sub(deadline, again), hour), 0);
  // What no clock reaches has its seconds all the same.
  EXPECT_GT(RawDeadline(kInfiniteFutureNs - 1).tv_sec, 9000000000);
  EXPECT_LT(RawDeadline(INT64_MIN).tv_sec, 0);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
