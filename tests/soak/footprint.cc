#include "tests/soak/footprint.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shmrpc {
namespace testing {

std::string Footprint::ToLine() const {
  return absl::StrCat(handles, " ", threads, " ", mapped_bytes, " ", shm_bytes,
                      " ", heap_bytes, " ", private_bytes);
}

bool Footprint::FromLine(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  int64_t* const numbers[] = {&handles,   &threads,    &mapped_bytes,
                              &shm_bytes, &heap_bytes, &private_bytes};
  if (words.size() != 6) return false;
  for (size_t i = 0; i < 6; ++i) {
    if (!absl::SimpleAtoi(words[i], numbers[i])) return false;
  }
  return true;
}

std::ostream& operator<<(std::ostream& out, const Footprint& footprint) {
  return out << footprint.handles << " handles, " << footprint.threads
             << " threads, " << (footprint.mapped_bytes >> 10)
             << " KiB mapped, " << (footprint.shm_bytes >> 10)
             << " KiB in /dev/shm, " << (footprint.heap_bytes >> 10)
             << " KiB of heap, " << (footprint.private_bytes >> 10)
             << " KiB private";
}

}  // namespace testing
}  // namespace shmrpc
