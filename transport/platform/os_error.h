// An operating-system error as an absl::Status that says what failed, on which
// object, why, and what to do next:
//
//   return OsError("open mapping \"shmrpc.echo\"", errno,
//                  "no server is listening; start it or check the name");
//   // open mapping "shmrpc.echo": No such file or directory (ENOENT 2):
//   // no server is listening; start it or check the name
//
// The code of the Status follows the OS error: not found, already exists,
// permission denied, resource exhausted (no space, no memory, too many open
// files), deadline exceeded, else internal.

#ifndef SHMRPC_TRANSPORT_PLATFORM_OS_ERROR_H_
#define SHMRPC_TRANSPORT_PLATFORM_OS_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shmrpc {
namespace platform {

// The calling thread's last error: errno, or GetLastError().
int LastOsError();

// "No such file or directory (ENOENT 2)" or
// "not found (ERROR_FILE_NOT_FOUND 2)".
std::string DescribeOsError(int os_error);

// The code of the Status for it.
absl::StatusCode OsErrorCode(int os_error);

// `what` names the operation and its object; `advice` may be empty.
absl::Status OsError(absl::string_view what, int os_error,
                     absl::string_view advice = "");

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_OS_ERROR_H_
