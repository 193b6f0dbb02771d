#include "shmrpc/time.h"

#include "transport/platform/clock.h"

namespace shmrpc {
namespace {

constexpr int64_t kNsPerSecond = 1000 * 1000 * 1000;

// Sums and products that stop at the ends of the range: there, time is
// infinite.
int64_t SaturatingAdd(int64_t a, int64_t b) {
  if (b > 0 && a > INT64_MAX - b) return INT64_MAX;
  if (b < 0 && a < INT64_MIN - b) return INT64_MIN;
  return a + b;
}

int64_t SaturatingSub(int64_t a, int64_t b) {
  if (b < 0 && a > INT64_MAX + b) return INT64_MAX;
  if (b > 0 && a < INT64_MIN + b) return INT64_MIN;
  return a - b;
}

// `b` > 0.
int64_t SaturatingMul(int64_t a, int64_t b) {
  if (a > INT64_MAX / b) return INT64_MAX;
  if (a < INT64_MIN / b) return INT64_MIN;
  return a * b;
}

bool IsInfinite(int64_t seconds) {
  return seconds == INT64_MAX || seconds == INT64_MIN;
}

// `seconds` and `ns` of any sign as they are written: 0 <= tv_nsec < 10^9. An
// infinite time has no nanoseconds.
gpr_timespec Normalized(int64_t seconds, int64_t ns, gpr_clock_type clock) {
  int64_t carry = ns / kNsPerSecond;
  ns %= kNsPerSecond;
  if (ns < 0) {
    ns += kNsPerSecond;
    --carry;
  }
  if (!IsInfinite(seconds)) seconds = SaturatingAdd(seconds, carry);
  if (IsInfinite(seconds)) ns = 0;
  return {seconds, static_cast<int32_t>(ns), clock};
}

// `count` of the units that a second has `per_second` of.
gpr_timespec FromFractions(int64_t count, int64_t per_second,
                           gpr_clock_type clock) {
  if (IsInfinite(count)) return {count, 0, clock};
  return Normalized(count / per_second,
                    count % per_second * (kNsPerSecond / per_second), clock);
}

// Nanoseconds, saturated.
int64_t TotalNs(gpr_timespec t) {
  // Well within the range, whatever tv_nsec holds.
  constexpr int64_t kFarSeconds = INT64_MAX / kNsPerSecond - 4;
  if (t.tv_sec > kFarSeconds) return INT64_MAX;
  if (t.tv_sec < -kFarSeconds) return INT64_MIN;
  return t.tv_sec * kNsPerSecond + t.tv_nsec;
}

int64_t SystemNowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

gpr_timespec gpr_now(gpr_clock_type clock) {
  switch (clock) {
    case GPR_CLOCK_MONOTONIC:
      return gpr_time_from_nanos(platform::MonotonicNowNs(), clock);
    case GPR_TIMESPAN:
      return gpr_time_0(clock);  // no length of time has passed since now
    default:
      return gpr_time_from_nanos(SystemNowNs(), clock);
  }
}

gpr_timespec gpr_inf_future(gpr_clock_type clock) {
  return {INT64_MAX, 0, clock};
}

gpr_timespec gpr_inf_past(gpr_clock_type clock) {
  return {INT64_MIN, 0, clock};
}

gpr_timespec gpr_time_0(gpr_clock_type clock) { return {0, 0, clock}; }

gpr_timespec gpr_time_add(gpr_timespec a, gpr_timespec b) {
  if (IsInfinite(a.tv_sec)) return {a.tv_sec, 0, a.clock_type};
  return Normalized(SaturatingAdd(a.tv_sec, b.tv_sec),
                    int64_t{a.tv_nsec} + b.tv_nsec, a.clock_type);
}

gpr_timespec gpr_time_sub(gpr_timespec a, gpr_timespec b) {
  // Between two points lies a length; a point less a length is a point.
  const gpr_clock_type clock =
      b.clock_type == GPR_TIMESPAN ? a.clock_type : GPR_TIMESPAN;
  if (IsInfinite(a.tv_sec)) return {a.tv_sec, 0, clock};
  // Its negation is infinite too, but INT64_MIN has none.
  if (b.tv_sec == INT64_MIN) return gpr_inf_future(clock);
  if (b.tv_sec == INT64_MAX) return gpr_inf_past(clock);
  return Normalized(SaturatingSub(a.tv_sec, b.tv_sec),
                    int64_t{a.tv_nsec} - b.tv_nsec, clock);
}

int gpr_time_cmp(gpr_timespec a, gpr_timespec b) {
  if (a.tv_sec != b.tv_sec) return a.tv_sec < b.tv_sec ? -1 : 1;
  if (IsInfinite(a.tv_sec) || a.tv_nsec == b.tv_nsec) return 0;
  return a.tv_nsec < b.tv_nsec ? -1 : 1;
}

gpr_timespec gpr_time_from_nanos(int64_t ns, gpr_clock_type clock) {
  return FromFractions(ns, kNsPerSecond, clock);
}

gpr_timespec gpr_time_from_micros(int64_t us, gpr_clock_type clock) {
  return FromFractions(us, 1000 * 1000, clock);
}

gpr_timespec gpr_time_from_millis(int64_t ms, gpr_clock_type clock) {
  return FromFractions(ms, 1000, clock);
}

gpr_timespec gpr_time_from_seconds(int64_t s, gpr_clock_type clock) {
  return {s, 0, clock};
}

gpr_timespec gpr_time_from_minutes(int64_t m, gpr_clock_type clock) {
  return {SaturatingMul(m, 60), 0, clock};
}

gpr_timespec gpr_time_from_hours(int64_t h, gpr_clock_type clock) {
  return {SaturatingMul(h, 3600), 0, clock};
}

namespace internal {
namespace {

using std::chrono::nanoseconds;
using std::chrono::system_clock;

// Now plus a distance, without overflow: what is too far is infinite, what is
// too long ago is just past.
int64_t FromNow(int64_t distance_ns) {
  const int64_t now_ns = platform::MonotonicNowNs();
  if (distance_ns >= kInfiniteFutureNs - now_ns) return kInfiniteFutureNs;
  if (distance_ns <= -now_ns) return 0;
  return now_ns + distance_ns;
}

// `deadline` - now of its clock in nanoseconds, saturated at 140 years.
template <class TimePoint>
int64_t DistanceNs(TimePoint deadline) {
  constexpr auto kFar = std::chrono::hours(24 * 365 * 140);
  const auto now = TimePoint::clock::now();
  if (deadline.time_since_epoch() > kFar) return INT64_MAX;
  if (deadline.time_since_epoch() < -kFar) return INT64_MIN;
  return std::chrono::duration_cast<nanoseconds>(deadline - now).count();
}

}  // namespace

int64_t DeadlineNs(system_clock::time_point deadline) {
  return FromNow(DistanceNs(deadline));
}

int64_t DeadlineNs(std::chrono::steady_clock::time_point deadline) {
  return FromNow(DistanceNs(deadline));
}

int64_t DeadlineNs(gpr_timespec deadline) {
  const int64_t ns = TotalNs(deadline);
  if (IsInfinite(ns)) return FromNow(ns);
  switch (deadline.clock_type) {
    case GPR_CLOCK_MONOTONIC:
      return ns < 0 ? 0 : ns;  // ours
    case GPR_TIMESPAN:
      return FromNow(ns);
    default:
      return FromNow(SaturatingSub(ns, SystemNowNs()));
  }
}

system_clock::time_point SystemTime(int64_t deadline_ns) {
  if (deadline_ns == kInfiniteFutureNs) return system_clock::time_point::max();
  const system_clock::time_point now = system_clock::now();
  const auto distance = std::chrono::duration_cast<system_clock::duration>(
      nanoseconds(SaturatingSub(deadline_ns, platform::MonotonicNowNs())));
  // The year 2262 ends a clock that counts nanoseconds.
  if (distance > system_clock::time_point::max() - now) {
    return system_clock::time_point::max();
  }
  return now + distance;
}

gpr_timespec RawDeadline(int64_t deadline_ns) {
  if (deadline_ns == kInfiniteFutureNs) {
    return gpr_inf_future(GPR_CLOCK_REALTIME);
  }
  return gpr_time_add(
      gpr_now(GPR_CLOCK_REALTIME),
      gpr_time_from_nanos(
          SaturatingSub(deadline_ns, platform::MonotonicNowNs()),
          GPR_TIMESPAN));
}

}  // namespace internal
}  // namespace shmrpc
