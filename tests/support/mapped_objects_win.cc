#include <windows.h>

#include "tests/support/mapped_objects.h"

namespace shmrpc {
namespace testing {

MappedObjects OwnMappedObjects() {
  MappedObjects mapped;
  MEMORY_BASIC_INFORMATION info;
  const uint8_t* at = nullptr;
  while (VirtualQuery(at, &info, sizeof(info)) == sizeof(info)) {
    if (info.Type == MEM_MAPPED && info.State == MEM_COMMIT &&
        (info.Protect & (PAGE_READONLY | PAGE_READWRITE)) != 0) {
      ++mapped.mappings;
      mapped.bytes += info.RegionSize;
    }
    at = static_cast<const uint8_t*>(info.BaseAddress) + info.RegionSize;
  }
  return mapped;
}

}  // namespace testing
}  // namespace shmrpc
