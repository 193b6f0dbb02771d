#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {

std::vector<std::string> Leftovers(absl::string_view) { return {}; }

}  // namespace testing
}  // namespace shmrpc
