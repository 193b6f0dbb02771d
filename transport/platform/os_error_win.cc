#include <windows.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"

namespace shmrpc {
namespace platform {
namespace {

struct KnownError {
  DWORD error;
  const char* name;
  // Ours and short: the system's are in the user's language and end with
  // "\r\n".
  const char* text;
  absl::StatusCode code;
};

constexpr KnownError kKnownErrors[] = {
    {ERROR_FILE_NOT_FOUND, "ERROR_FILE_NOT_FOUND", "not found",
     absl::StatusCode::kNotFound},
    {ERROR_PATH_NOT_FOUND, "ERROR_PATH_NOT_FOUND", "path not found",
     absl::StatusCode::kNotFound},
    {ERROR_ALREADY_EXISTS, "ERROR_ALREADY_EXISTS", "already exists",
     absl::StatusCode::kAlreadyExists},
    {ERROR_FILE_EXISTS, "ERROR_FILE_EXISTS", "already exists",
     absl::StatusCode::kAlreadyExists},
    // A name that an object of another kind has (an event, say).
    {ERROR_INVALID_HANDLE, "ERROR_INVALID_HANDLE",
     "invalid handle, or the name belongs to an object of another kind",
     absl::StatusCode::kInternal},
    {ERROR_ACCESS_DENIED, "ERROR_ACCESS_DENIED", "access denied",
     absl::StatusCode::kPermissionDenied},
    {ERROR_PRIVILEGE_NOT_HELD, "ERROR_PRIVILEGE_NOT_HELD",
     "a privilege is missing", absl::StatusCode::kPermissionDenied},
    {ERROR_NOT_ENOUGH_MEMORY, "ERROR_NOT_ENOUGH_MEMORY", "not enough memory",
     absl::StatusCode::kResourceExhausted},
    {ERROR_OUTOFMEMORY, "ERROR_OUTOFMEMORY", "not enough memory",
     absl::StatusCode::kResourceExhausted},
    {ERROR_COMMITMENT_LIMIT, "ERROR_COMMITMENT_LIMIT",
     "the page file is too small", absl::StatusCode::kResourceExhausted},
    {ERROR_NO_SYSTEM_RESOURCES, "ERROR_NO_SYSTEM_RESOURCES",
     "insufficient system resources", absl::StatusCode::kResourceExhausted},
    {ERROR_DISK_FULL, "ERROR_DISK_FULL", "disk full",
     absl::StatusCode::kResourceExhausted},
    {ERROR_TOO_MANY_OPEN_FILES, "ERROR_TOO_MANY_OPEN_FILES",
     "too many open files", absl::StatusCode::kResourceExhausted},
    {ERROR_INVALID_PARAMETER, "ERROR_INVALID_PARAMETER", "invalid parameter",
     absl::StatusCode::kInternal},
    {ERROR_INVALID_NAME, "ERROR_INVALID_NAME", "invalid name",
     absl::StatusCode::kInternal},
    {ERROR_BAD_PATHNAME, "ERROR_BAD_PATHNAME", "invalid path",
     absl::StatusCode::kInternal},
    {ERROR_SEM_TIMEOUT, "ERROR_SEM_TIMEOUT", "timed out",
     absl::StatusCode::kDeadlineExceeded},
    {ERROR_TIMEOUT, "ERROR_TIMEOUT", "timed out",
     absl::StatusCode::kDeadlineExceeded},
    {WAIT_TIMEOUT, "WAIT_TIMEOUT", "timed out",
     absl::StatusCode::kDeadlineExceeded},
};

const KnownError* Find(int os_error) {
  for (const KnownError& known : kKnownErrors) {
    if (known.error == static_cast<DWORD>(os_error)) return &known;
  }
  return nullptr;
}

}  // namespace

int LastOsError() { return static_cast<int>(GetLastError()); }

std::string DescribeOsError(int os_error) {
  if (const KnownError* known = Find(os_error)) {
    return absl::StrCat(known->text, " (", known->name, " ", os_error, ")");
  }
  char text[512] = "";
  const DWORD length = FormatMessageA(
      FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
      static_cast<DWORD>(os_error), 0, text, sizeof(text), nullptr);
  absl::string_view message =
      absl::StripAsciiWhitespace(absl::string_view(text, length));
  if (message.empty()) message = "unknown error";
  return absl::StrCat(message, " (error ", os_error, ")");
}

absl::StatusCode OsErrorCode(int os_error) {
  const KnownError* known = Find(os_error);
  return known != nullptr ? known->code : absl::StatusCode::kInternal;
}

}  // namespace platform
}  // namespace shmrpc
