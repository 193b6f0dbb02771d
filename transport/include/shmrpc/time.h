// Points in time as callers have them, turned into what the library keeps:
// nanoseconds of the machine-wide monotonic clock.

#ifndef SHMRPC_TIME_H_
#define SHMRPC_TIME_H_

#include <chrono>
#include <cstdint>

namespace shmrpc {

// gRPC's C time, for programs that use it for deadlines. The names are gRPC's;
// they live in this namespace so that one program can use both libraries.
enum gpr_clock_type {
  GPR_CLOCK_MONOTONIC = 0,
  GPR_CLOCK_REALTIME,  // since the Unix epoch
  GPR_CLOCK_PRECISE,   // as GPR_CLOCK_REALTIME
  GPR_TIMESPAN         // a length of time
};

struct gpr_timespec {
  int64_t tv_sec;
  int32_t tv_nsec;  // 0 to 999999999
  gpr_clock_type clock_type;
};

gpr_timespec gpr_now(gpr_clock_type clock);
// tv_sec INT64_MAX and INT64_MIN.
gpr_timespec gpr_inf_future(gpr_clock_type clock);
gpr_timespec gpr_inf_past(gpr_clock_type clock);
gpr_timespec gpr_time_0(gpr_clock_type clock);
// Sums and differences that overflow become infinite. `b` of gpr_time_add is a
// GPR_TIMESPAN.
gpr_timespec gpr_time_add(gpr_timespec a, gpr_timespec b);
gpr_timespec gpr_time_sub(gpr_timespec a, gpr_timespec b);
int gpr_time_cmp(gpr_timespec a, gpr_timespec b);
gpr_timespec gpr_time_from_nanos(int64_t ns, gpr_clock_type clock);
gpr_timespec gpr_time_from_micros(int64_t us, gpr_clock_type clock);
gpr_timespec gpr_time_from_millis(int64_t ms, gpr_clock_type clock);
gpr_timespec gpr_time_from_seconds(int64_t s, gpr_clock_type clock);
gpr_timespec gpr_time_from_minutes(int64_t m, gpr_clock_type clock);
gpr_timespec gpr_time_from_hours(int64_t h, gpr_clock_type clock);

namespace internal {

constexpr int64_t kInfiniteFutureNs = INT64_MAX;

int64_t DeadlineNs(std::chrono::system_clock::time_point deadline);
int64_t DeadlineNs(std::chrono::steady_clock::time_point deadline);
// A GPR_TIMESPAN counts from now.
int64_t DeadlineNs(gpr_timespec deadline);
// time_point::max() for kInfiniteFutureNs.
std::chrono::system_clock::time_point SystemTime(int64_t deadline_ns);
// GPR_CLOCK_REALTIME; gpr_inf_future for kInfiniteFutureNs.
gpr_timespec RawDeadline(int64_t deadline_ns);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TIME_H_
