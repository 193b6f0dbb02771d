#include "tests/soak/consumption.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shmrpc {
namespace testing {

std::string Consumption::ToLine() const {
  return absl::StrCat(threads, " ", heap_bytes, " ", private_bytes, " ",
                      footprint.ToLine());
}

bool Consumption::FromLine(absl::string_view line) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::MaxSplits(' ', 3));
  return words.size() == 4 && absl::SimpleAtoi(words[0], &threads) &&
         absl::SimpleAtoi(words[1], &heap_bytes) &&
         absl::SimpleAtoi(words[2], &private_bytes) &&
         footprint.FromLine(words[3]);
}

std::ostream& operator<<(std::ostream& out, const Consumption& consumption) {
  return out << consumption.footprint << ", " << consumption.threads
             << " threads, " << (consumption.heap_bytes >> 10)
             << " KiB of heap, " << (consumption.private_bytes >> 10)
             << " KiB private";
}

}  // namespace testing
}  // namespace shmrpc
