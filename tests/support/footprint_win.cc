#include <windows.h>

#include <cstring>
#include <vector>

#include "tests/support/footprint.h"
#include "tests/support/mapped_objects.h"

namespace shmrpc {
namespace testing {
namespace {

// What NtQuerySystemInformation says of all processes' handles.
struct HandleEntry {
  void* object;
  ULONG_PTR pid;
  ULONG_PTR handle;
  ULONG access;
  ULONG others[3];
};
struct HandleTable {
  ULONG_PTR count;
  ULONG_PTR reserved;
  HandleEntry entries[1];
};
constexpr int kExtendedHandleInformation = 64;
constexpr LONG kInfoLengthMismatch = static_cast<LONG>(0xc0000004);

// Wine 8 knows a process's handles, but GetProcessHandleCount says 0 there.
int64_t CountHandlesInTable() {
  using Query = LONG(WINAPI*)(int, void*, ULONG, ULONG*);
  Query query = nullptr;
  const FARPROC found =
      GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQuerySystemInformation");
  std::memcpy(&query, &found, sizeof(query));
  std::vector<HandleEntry> memory(1 << 12);
  LONG status = kInfoLengthMismatch;
  while (status == kInfoLengthMismatch) {
    memory.resize(memory.size() * 2);
    status =
        query(kExtendedHandleInformation, memory.data(),
              static_cast<ULONG>(memory.size() * sizeof(HandleEntry)), nullptr);
  }
  if (status != 0) return 0;
  const auto* table = reinterpret_cast<const HandleTable*>(memory.data());
  int64_t count = 0;
  for (ULONG_PTR i = 0; i < table->count; ++i) {
    if (table->entries[i].pid == GetCurrentProcessId()) ++count;
  }
  return count;
}

int64_t CountHandles() {
  DWORD handles = 0;
  GetProcessHandleCount(GetCurrentProcess(), &handles);
  return handles != 0 ? handles : CountHandlesInTable();
}

}  // namespace

Footprint OwnFootprint() {
  Footprint footprint;
  footprint.handles = CountHandles();
  const MappedObjects mapped = OwnMappedObjects();
  footprint.mappings = mapped.mappings;
  footprint.mapped_bytes = static_cast<int64_t>(mapped.bytes);
  return footprint;
}

}  // namespace testing
}  // namespace shmrpc
