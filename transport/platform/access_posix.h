// Giving a new object's file to those who may open it. Internal to mapping.

#ifndef SHMRPC_TRANSPORT_PLATFORM_ACCESS_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_ACCESS_POSIX_H_

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "transport/platform/access_policy.h"

namespace shmrpc {
namespace platform {

// Before the file has its name. `mode`: what it has; the sticky bit, which
// marks our objects, is always set. `object` is for the Status. Nothing is
// done, and no system call made, for the default policy and a file of mode
// 0600.
absl::Status ApplyAccess(int fd, absl::string_view object, mode_t mode,
                         const AccessPolicy& access);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_ACCESS_POSIX_H_
