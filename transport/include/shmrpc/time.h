// Points in time as callers have them, turned into what the library keeps:
// nanoseconds of the machine-wide monotonic clock.

#ifndef SHMRPC_TIME_H_
#define SHMRPC_TIME_H_

#include <chrono>
#include <cstdint>

namespace shmrpc {
namespace internal {

constexpr int64_t kInfiniteFutureNs = INT64_MAX;

int64_t DeadlineNs(std::chrono::system_clock::time_point deadline);
int64_t DeadlineNs(std::chrono::steady_clock::time_point deadline);
// time_point::max() for kInfiniteFutureNs.
std::chrono::system_clock::time_point SystemTime(int64_t deadline_ns);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TIME_H_
