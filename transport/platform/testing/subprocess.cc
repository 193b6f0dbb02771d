#include "transport/platform/testing/subprocess.h"

#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace testing {

Subprocess SpawnRole(absl::string_view name,
                     const std::vector<std::string>& args,
                     const Subprocess::Environment& environment) {
  std::vector<std::string> all = {absl::StrCat("--role=", name)};
  all.insert(all.end(), args.begin(), args.end());
  return Subprocess(SelfExecutable(), all, environment);
}

}  // namespace testing
}  // namespace shmrpc
