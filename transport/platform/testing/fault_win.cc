#include <windows.h>

#include <cstdio>
#include <cstdlib>

#include "transport/platform/testing/fault.h"

namespace shmrpc {
namespace testing {

void MakeViewFault(const platform::ObjectName&, const platform::View& view) {
  DWORD before = 0;
  if (VirtualProtect(view.data(), static_cast<SIZE_T>(view.size_bytes()),
                     PAGE_NOACCESS, &before)) {
    return;
  }
  std::fprintf(stderr, "MakeViewFault: error %lu\n", GetLastError());
  std::abort();
}

}  // namespace testing
}  // namespace shmrpc
