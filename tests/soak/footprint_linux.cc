#include <malloc.h>
#include <unistd.h>

#include <fstream>

#include "tests/soak/footprint.h"
#include "tests/support/mapped_objects.h"
#include "tests/trouble/proc_linux.h"

namespace shmrpc {
namespace testing {

Footprint OwnFootprint() {
  Footprint footprint;
  malloc_trim(0);
  const Holdings holdings = HoldingsOf(static_cast<uint32_t>(getpid()));
  footprint.handles = holdings.descriptors;
  footprint.shm_bytes = holdings.shm_bytes;
  footprint.mapped_bytes = static_cast<int64_t>(MappedBytes());
  // Of all arenas. What a thread keeps aside for itself counts as allocated.
  const struct mallinfo2 heap = mallinfo2();
  footprint.heap_bytes = static_cast<int64_t>(heap.uordblks + heap.hblkhd);
  std::ifstream status("/proc/self/status");
  for (std::string field; status >> field;) {
    if (field == "Threads:") status >> footprint.threads;
    if (field == "RssAnon:") {
      status >> footprint.private_bytes;
      footprint.private_bytes *= 1024;
    }
  }
  return footprint;
}

}  // namespace testing
}  // namespace shmrpc
