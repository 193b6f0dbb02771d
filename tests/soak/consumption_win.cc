#include <windows.h>
// After windows.h.
#include <psapi.h>
#include <tlhelp32.h>

#include <vector>

#include "tests/soak/consumption.h"

namespace shmrpc {
namespace testing {
namespace {

int64_t ThreadCount() {
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return 0;
  int64_t count = 0;
  THREADENTRY32 entry = {};
  entry.dwSize = sizeof(entry);
  for (BOOL more = Thread32First(snapshot, &entry); more;
       more = Thread32Next(snapshot, &entry)) {
    if (entry.th32OwnerProcessID == GetCurrentProcessId()) ++count;
  }
  CloseHandle(snapshot);
  return count;
}

int64_t HeapBytes() {
  std::vector<HANDLE> heaps(64);
  const DWORD count =
      GetProcessHeaps(static_cast<DWORD>(heaps.size()), heaps.data());
  heaps.resize(count < heaps.size() ? count : heaps.size());
  int64_t bytes = 0;
  for (const HANDLE heap : heaps) {
    if (!HeapLock(heap)) continue;
    PROCESS_HEAP_ENTRY entry = {};
    while (HeapWalk(heap, &entry)) {
      if ((entry.wFlags & PROCESS_HEAP_ENTRY_BUSY) != 0) bytes += entry.cbData;
    }
    HeapUnlock(heap);
  }
  return bytes;
}

}  // namespace

Consumption OwnConsumption() {
  Consumption consumption;
  consumption.footprint = OwnFootprint();
  consumption.threads = ThreadCount();
  consumption.heap_bytes = HeapBytes();
  PROCESS_MEMORY_COUNTERS_EX counters = {};
  counters.cb = sizeof(counters);
  if (K32GetProcessMemoryInfo(
          GetCurrentProcess(),
          reinterpret_cast<PROCESS_MEMORY_COUNTERS*>(&counters),
          sizeof(counters))) {
    consumption.private_bytes = static_cast<int64_t>(counters.PrivateUsage);
  }
  return consumption;
}

}  // namespace testing
}  // namespace shmrpc
