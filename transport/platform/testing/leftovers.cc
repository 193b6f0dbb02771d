#include "transport/platform/testing/leftovers.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "transport/platform/random.h"

namespace shmrpc {
namespace testing {

std::string UniqueName(absl::string_view stem) {
  static std::atomic<int> next{0};
  // relaxed: only the number itself has to differ.
  const int number = next.fetch_add(1, std::memory_order_relaxed);
  return absl::StrCat(stem, ".", absl::Hex(platform::RandomBits()), ".",
                      number);
}

}  // namespace testing
}  // namespace shmrpc
