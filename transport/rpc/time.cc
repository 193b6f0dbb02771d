#include "shmrpc/time.h"

#include "transport/platform/clock.h"

namespace shmrpc {
namespace internal {
namespace {

using std::chrono::nanoseconds;

// Now plus a distance, without overflow: what is too far is infinite, what is
// too long ago is just past.
int64_t FromNow(nanoseconds distance) {
  const int64_t now_ns = platform::MonotonicNowNs();
  if (distance.count() >= kInfiniteFutureNs - now_ns) return kInfiniteFutureNs;
  if (distance.count() <= -now_ns) return 0;
  return now_ns + distance.count();
}

// `deadline` - now of its clock in nanoseconds, saturated at 140 years.
template <class TimePoint>
nanoseconds Distance(TimePoint deadline) {
  constexpr auto kFar = std::chrono::hours(24 * 365 * 140);
  const auto now = TimePoint::clock::now();
  if (deadline.time_since_epoch() > kFar) return nanoseconds::max();
  if (deadline.time_since_epoch() < -kFar) return nanoseconds::min();
  return std::chrono::duration_cast<nanoseconds>(deadline - now);
}

}  // namespace

int64_t DeadlineNs(std::chrono::system_clock::time_point deadline) {
  return FromNow(Distance(deadline));
}

int64_t DeadlineNs(std::chrono::steady_clock::time_point deadline) {
  return FromNow(Distance(deadline));
}

std::chrono::system_clock::time_point SystemTime(int64_t deadline_ns) {
  using std::chrono::system_clock;
  if (deadline_ns == kInfiniteFutureNs) return system_clock::time_point::max();
  const nanoseconds distance(deadline_ns - platform::MonotonicNowNs());
  return system_clock::now() +
         std::chrono::duration_cast<system_clock::duration>(distance);
}

}  // namespace internal
}  // namespace shmrpc
