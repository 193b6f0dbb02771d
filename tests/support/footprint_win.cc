#include <windows.h>

#include "tests/support/footprint.h"
#include "tests/support/mapped_objects.h"

namespace shmrpc {
namespace testing {

Footprint OwnFootprint() {
  Footprint footprint;
  DWORD handles = 0;
  GetProcessHandleCount(GetCurrentProcess(), &handles);
  footprint.handles = handles;
  const MappedObjects mapped = OwnMappedObjects();
  footprint.mappings = mapped.mappings;
  footprint.mapped_bytes = static_cast<int64_t>(mapped.bytes);
  return footprint;
}

}  // namespace testing
}  // namespace shmrpc
