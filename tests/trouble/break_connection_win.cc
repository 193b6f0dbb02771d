#include <windows.h>

#include "tests/trouble/break_connection.h"
#include "transport/memory/arena.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr uint64_t kConnectionBytes =
    memory::ConnectionSizeBytes(memory::kRingSizeBytes);

// This process's views of sections of such a size.
int BreakViews(uint64_t at_least_bytes, uint64_t at_most_bytes) {
  int broken = 0;
  MEMORY_BASIC_INFORMATION region;
  for (char* at = nullptr;
       VirtualQuery(at, &region, sizeof(region)) == sizeof(region);
       at = static_cast<char*>(region.BaseAddress) + region.RegionSize) {
    DWORD before = 0;
    if (region.Type == MEM_MAPPED && region.RegionSize >= at_least_bytes &&
        region.RegionSize <= at_most_bytes &&
        region.Protect == PAGE_READWRITE &&
        VirtualProtect(region.BaseAddress, region.RegionSize, PAGE_NOACCESS,
                       &before)) {
      ++broken;
    }
  }
  return broken;
}

}  // namespace

// By their size: no other mapped section of these tests is as large.
int BreakConnections(uint32_t) {
  return BreakViews(kConnectionBytes, kConnectionBytes);
}

std::vector<Breaker> Breakers() { return {Breaker::kClient, Breaker::kServer}; }

bool CanBreak(Memory what) { return what != Memory::kIdentity; }

int Break(Memory what, const std::string&, uint32_t, uint32_t) {
  switch (what) {
    case Memory::kIdentity:
      return -1;
    case Memory::kSlots:
      return BreakViews(sizeof(memory::LobbySlots), sizeof(memory::LobbySlots));
    case Memory::kConnection:
      return BreakConnections(0);
    case Memory::kClientSegment:
    case Memory::kServerSegment:
      return BreakViews(memory::kMinSegmentBytes, uint64_t{1} << 30);
  }
  return -1;
}

}  // namespace testing
}  // namespace shmrpc
