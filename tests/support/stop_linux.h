// A process that does not run although it lives.

#ifndef SHMRPC_TESTS_SUPPORT_STOP_LINUX_H_
#define SHMRPC_TESTS_SUPPORT_STOP_LINUX_H_

#include <cstdint>

namespace shmrpc {
namespace testing {

// Sends SIGSTOP and waits until it has stopped; SIGCONT lets it go on. False:
// it does not stop.
bool StopProcess(uint32_t pid);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_STOP_LINUX_H_
