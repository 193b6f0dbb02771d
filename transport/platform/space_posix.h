// Is there memory for an object? Internal to mapping_posix.

#ifndef SHMRPC_TRANSPORT_PLATFORM_SPACE_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_SPACE_POSIX_H_

#include <cstdint>

#include "absl/status/status.h"
#include "transport/platform/object_name.h"

namespace shmrpc {
namespace platform {

// Gives the empty file `fd`, which is to become `name`, its size, with all of
// its memory reserved. RESOURCE_EXHAUSTED: the file system is full, or the
// machine has not that much memory left; names both sizes and the remedy.
absl::Status ReserveSpace(int fd, const ObjectName& name, uint64_t size_bytes);

// RESOURCE_EXHAUSTED for `os_error` (ENOSPC or the like), with that advice.
absl::Status NoSpaceError(const ObjectName& name, uint64_t size_bytes,
                          int os_error);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_SPACE_POSIX_H_
