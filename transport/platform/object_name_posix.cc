#include <limits.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/object_name.h"
#include "transport/platform/object_name_internal.h"

namespace shmrpc {
namespace platform {

std::string ObjectName::OsName() const {
  switch (scope) {
    case Scope::kLocal:
      return absl::StrCat("/dev/shm/", name);
    case Scope::kGlobal:
      return absl::StrCat("/dev/shm/", kGlobalPrefix, name);
    case Scope::kCustom:
      break;
  }
  return name;
}

absl::Status ValidateCustomName(const std::string& name) {
  const std::string quoted = absl::StrCat("\"", absl::CHexEscape(name), "\"");
  if (name.size() >= PATH_MAX) {
    return absl::InvalidArgumentError(absl::StrCat(
        "custom name of ", name.size(), " bytes; the limit is ", PATH_MAX - 1));
  }
  const size_t nul = name.find('\0');
  if (nul != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "custom name ", quoted, " has a NUL byte at position ", nul));
  }
  if (name.front() != '/' || name.back() == '/') {
    return absl::InvalidArgumentError(absl::StrCat(
        "custom name ", quoted, " is not the absolute path of a file: it has '",
        absl::CHexEscape(name.front() != '/' ? name.substr(0, 1) : "/"),
        "' at position ", name.front() != '/' ? 0 : name.size() - 1));
  }
  return absl::OkStatus();
}

}  // namespace platform
}  // namespace shmrpc
