#include <malloc.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "tests/soak/consumption.h"
#include "tests/support/proc_linux.h"

namespace shmrpc {
namespace testing {
namespace {

int64_t OwnStatus(absl::string_view field) {
  int64_t number = 0;
  const std::string word = ProcStatus(static_cast<uint32_t>(getpid()), field);
  return absl::SimpleAtoi(word, &number) ? number : 0;
}

}  // namespace

Consumption OwnConsumption() {
  Consumption consumption;
  malloc_trim(0);
  consumption.footprint = OwnFootprint();
  // Of all arenas. What a thread keeps aside for itself counts as allocated.
  const struct mallinfo2 heap = mallinfo2();
  consumption.heap_bytes = static_cast<int64_t>(heap.uordblks + heap.hblkhd);
  consumption.threads = OwnStatus("Threads");
  consumption.private_bytes = OwnStatus("RssAnon") * 1024;
  return consumption;
}

}  // namespace testing
}  // namespace shmrpc
