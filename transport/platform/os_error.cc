#include "transport/platform/os_error.h"

#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace platform {

absl::Status OsError(absl::string_view what, int os_error,
                     absl::string_view advice) {
  std::string message = absl::StrCat(what, ": ", DescribeOsError(os_error));
  if (!advice.empty()) absl::StrAppend(&message, ": ", advice);
  return absl::Status(OsErrorCode(os_error), message);
}

}  // namespace platform
}  // namespace shmrpc
