#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/support/footprint.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/proc_linux.h"

namespace shmrpc {
namespace testing {

Footprint FootprintOf(uint32_t pid) {
  Footprint footprint;
  footprint.handles = static_cast<int64_t>(ProcEntries(pid, "fd").size());
  const MappedObjects mapped = MappedObjectsOf(pid);
  footprint.mappings = mapped.mappings;
  footprint.mapped_bytes = static_cast<int64_t>(mapped.bytes);
  struct statvfs fs;
  if (statvfs("/dev/shm", &fs) == 0) {
    footprint.shm_bytes =
        static_cast<int64_t>((fs.f_blocks - fs.f_bfree) * fs.f_frsize);
  }
  return footprint;
}

Footprint OwnFootprint() {
  return FootprintOf(static_cast<uint32_t>(getpid()));
}

}  // namespace testing
}  // namespace shmrpc
