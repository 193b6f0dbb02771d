#include <windows.h>

#include "tests/trouble/break_connection.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace testing {

// By their size: no other mapped section of these tests is as large.
int BreakConnections(uint32_t) {
  const SIZE_T wanted =
      static_cast<SIZE_T>(memory::ConnectionSizeBytes(memory::kRingSizeBytes));
  int broken = 0;
  MEMORY_BASIC_INFORMATION region;
  for (char* at = nullptr;
       VirtualQuery(at, &region, sizeof(region)) == sizeof(region);
       at = static_cast<char*>(region.BaseAddress) + region.RegionSize) {
    DWORD before = 0;
    if (region.Type == MEM_MAPPED && region.RegionSize == wanted &&
        region.Protect == PAGE_READWRITE &&
        VirtualProtect(region.BaseAddress, region.RegionSize, PAGE_NOACCESS,
                       &before)) {
      ++broken;
    }
  }
  return broken;
}

}  // namespace testing
}  // namespace shmrpc
