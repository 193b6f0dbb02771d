#include <windows.h>

#include "transport/platform/cpu.h"

namespace shmrpc {
namespace platform {

void YieldThread() { SwitchToThread(); }

int AvailableCores() {
  // Of this process's processor group: up to 64.
  DWORD_PTR process_mask = 0;
  DWORD_PTR system_mask = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &process_mask,
                              &system_mask)) {
    return 1;
  }
  int count = 0;
  for (; process_mask != 0; process_mask &= process_mask - 1) ++count;
  return count > 0 ? count : 1;
}

}  // namespace platform
}  // namespace shmrpc
