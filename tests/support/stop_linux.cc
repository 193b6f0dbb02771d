#include "tests/support/stop_linux.h"

#include <signal.h>
#include <sys/types.h>

#include "tests/support/eventually.h"
#include "tests/support/proc_linux.h"

namespace shmrpc {
namespace testing {

bool StopProcess(uint32_t pid) {
  return kill(static_cast<pid_t>(pid), SIGSTOP) == 0 &&
         Eventually([pid] { return StateOf(pid) == 'T'; });
}

}  // namespace testing
}  // namespace shmrpc
