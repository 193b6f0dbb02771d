#include "tests/support/footprint.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shmrpc {
namespace testing {

bool Footprint::IsWithin(const Footprint& before) const {
  return handles <= before.handles && mappings <= before.mappings &&
         mapped_bytes <= before.mapped_bytes && shm_bytes <= before.shm_bytes;
}

bool operator==(const Footprint& a, const Footprint& b) {
  return a.IsWithin(b) && b.IsWithin(a);
}

std::string Footprint::ToLine() const {
  return absl::StrCat(handles, " ", mappings, " ", mapped_bytes, " ",
                      shm_bytes);
}

bool Footprint::FromLine(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  return words.size() == 4 && absl::SimpleAtoi(words[0], &handles) &&
         absl::SimpleAtoi(words[1], &mappings) &&
         absl::SimpleAtoi(words[2], &mapped_bytes) &&
         absl::SimpleAtoi(words[3], &shm_bytes);
}

std::ostream& operator<<(std::ostream& out, const Footprint& footprint) {
  return out << footprint.handles << " handles, " << footprint.mappings
             << " mappings of " << (footprint.mapped_bytes >> 10) << " KiB, "
             << (footprint.shm_bytes >> 10) << " KiB in /dev/shm";
}

}  // namespace testing
}  // namespace shmrpc
