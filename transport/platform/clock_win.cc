#include <windows.h>

#include "transport/platform/clock.h"

namespace shmrpc {
namespace platform {

int64_t MonotonicNowNs() {
  // Constant from boot on, the same for every process.
  static const int64_t frequency = [] {
    LARGE_INTEGER value;
    QueryPerformanceFrequency(&value);
    return value.QuadPart;
  }();
  LARGE_INTEGER ticks;
  QueryPerformanceCounter(&ticks);
  // In two parts: ticks * 10^9 would overflow after minutes to days of uptime.
  const int64_t seconds = ticks.QuadPart / frequency;
  const int64_t rest = ticks.QuadPart % frequency;
  return seconds * 1000000000 + rest * 1000000000 / frequency;
}

}  // namespace platform
}  // namespace shmrpc
