// The machine-wide monotonic clock: CLOCK_MONOTONIC, QueryPerformanceCounter.
// Two processes of one machine read the same clock (time namespaces on Linux
// excepted). It does not advance while a Linux machine is suspended.

#ifndef SHMRPC_TRANSPORT_PLATFORM_CLOCK_H_
#define SHMRPC_TRANSPORT_PLATFORM_CLOCK_H_

#include <cstdint>

namespace shmrpc {
namespace platform {

// Nanoseconds since an arbitrary origin, below INT64_MAX for centuries.
int64_t MonotonicNowNs();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_CLOCK_H_
