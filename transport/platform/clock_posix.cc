#include <time.h>

#include "transport/platform/clock.h"

namespace shmrpc {
namespace platform {

int64_t MonotonicNowNs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);  // cannot fail with these arguments
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

}  // namespace platform
}  // namespace shmrpc
