// Who a process is, whether it lives, and being told when it dies.
//
// A pid alone is recycled; a pid and a start time are not. Linux: field 22 of
// /proc/<pid>/stat, pidfd_open(2). Windows: GetProcessTimes, process handles.

#ifndef SHMRPC_TRANSPORT_PLATFORM_PROCESS_H_
#define SHMRPC_TRANSPORT_PLATFORM_PROCESS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace shmrpc {
namespace platform {

struct ProcessId {
  uint32_t pid = 0;
  uint64_t start_time = 0;  // opaque; equal for the same process only

  friend bool operator==(const ProcessId& a, const ProcessId& b) {
    return a.pid == b.pid && a.start_time == b.start_time;
  }
};

ProcessId CurrentProcess();

// The identity of whichever process has `pid` now. NOT_FOUND if none has.
absl::StatusOr<ProcessId> ProcessWithPid(uint32_t pid);

// The last path component of its executable, for messages; "" if unknown.
std::string ProcessName(uint32_t pid);

// False once the process has ended (a zombie has ended), or its pid belongs to
// another one.
bool IsAlive(const ProcessId& process);

// Calls back once when a process ends. One thread of this library per process
// (Linux: epoll over pidfds) or the system's thread pool (Windows) serves every
// watch; it sleeps while nothing dies.
class DeathWatch {
 public:
  // `on_death` runs on the watching thread: it must be short and must not
  // block. If the process has already ended it is called soon, never from
  // within Start. NOT_FOUND if no such process (or another under its pid).
  static absl::StatusOr<std::unique_ptr<DeathWatch>> Start(
      const ProcessId& process, std::function<void()> on_death);

  // After it returns `on_death` is not running and will not run; unless it is
  // on_death itself that destroys the watch.
  virtual ~DeathWatch() = default;
};

// Ends the process at once, as SIGKILL or TerminateProcess does. For tests.
absl::Status KillProcess(uint32_t pid);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_PROCESS_H_
