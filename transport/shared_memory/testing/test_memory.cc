#include "transport/shared_memory/testing/test_memory.h"

#include "absl/strings/str_cat.h"
#include "transport/platform/mapping.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {

TestName::TestName(absl::string_view stem)
    : name_(UniqueName(absl::StrCat("shmrpc-test.", stem))) {}

TestName::~TestName() {
  platform::ReclaimAbandoned(platform::Scope::kLocal, name_);
}

}  // namespace testing
}  // namespace shmrpc
