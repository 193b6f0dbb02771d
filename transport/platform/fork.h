// Noticing that this process is a forked copy. What was mapped, locked or
// watched before the fork belongs to the parent; the copy must leave it alone.
// (pthread_atfork; Windows has no fork and always answers 0.)

#ifndef SHMRPC_TRANSPORT_PLATFORM_FORK_H_
#define SHMRPC_TRANSPORT_PLATFORM_FORK_H_

#include <cstdint>

namespace shmrpc {
namespace platform {

// Number of forks between the process that loaded this library and this one.
// An object remembers the value at its creation; another value later means "I
// am the parent's". A relaxed load: the child has one thread when it changes.
uint32_t ForkGeneration();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_FORK_H_
