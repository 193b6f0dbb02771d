#include <windows.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/object_name.h"
#include "transport/platform/object_name_internal.h"

namespace shmrpc {
namespace platform {

std::string ObjectName::OsName() const {
  switch (scope) {
    case Scope::kLocal:
      return absl::StrCat("Local\\", name);
    case Scope::kGlobal:
      return absl::StrCat("Global\\", name);
    case Scope::kCustom:
      break;
  }
  return name;
}

absl::Status ValidateCustomName(const std::string& name) {
  const std::string quoted = absl::StrCat("\"", absl::CHexEscape(name), "\"");
  if (name.size() >= MAX_PATH) {
    return absl::InvalidArgumentError(absl::StrCat(
        "custom name of ", name.size(), " bytes; the limit is ", MAX_PATH - 1));
  }
  const size_t nul = name.find('\0');
  if (nul != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "custom name ", quoted, " has a NUL byte at position ", nul));
  }
  return absl::OkStatus();
}

}  // namespace platform
}  // namespace shmrpc
