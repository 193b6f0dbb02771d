// What the death watches know of a process. Internal to process.

#ifndef SHMRPC_TRANSPORT_PLATFORM_WATCHED_PROCESS_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_WATCHED_PROCESS_POSIX_H_

#include "absl/types/optional.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace platform {

// Has it not ended yet? One cheap system call. nullopt: it is not watched, nor
// was lately; somebody else must be asked.
absl::optional<bool> WatchedProcessIsAlive(const ProcessId& process);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_WATCHED_PROCESS_POSIX_H_
