#include <sched.h>
#include <unistd.h>

#include <cstddef>

#include "transport/platform/cpu.h"

namespace shmrpc {
namespace platform {

void YieldThread() { sched_yield(); }

int AvailableCores() {
  // The mask must be as wide as the kernel's: EINVAL on machines with more
  // cores than it has bits.
  for (int bits = 1024; bits <= 1 << 20; bits *= 4) {
    cpu_set_t* set = CPU_ALLOC(bits);
    if (set == nullptr) break;
    const size_t size_bytes = CPU_ALLOC_SIZE(bits);
    CPU_ZERO_S(size_bytes, set);
    const bool ok = sched_getaffinity(0, size_bytes, set) == 0;
    const int count = ok ? CPU_COUNT_S(size_bytes, set) : 0;
    CPU_FREE(set);
    if (ok && count > 0) return count;
  }
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<int>(online) : 1;
}

}  // namespace platform
}  // namespace shmrpc
