#include <windows.h>

#include <cstdio>
#include <cstdlib>

#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace testing {

void MakeFault(absl::string_view, const MemoryView& view) {
  DWORD before = 0;
  if (VirtualProtect(const_cast<uint8_t*>(view.data()),
                     static_cast<SIZE_T>(view.size_bytes()), PAGE_NOACCESS,
                     &before)) {
    return;
  }
  std::fprintf(stderr, "MakeFault: error %lu\n", GetLastError());
  std::abort();
}

}  // namespace testing
}  // namespace shmrpc
