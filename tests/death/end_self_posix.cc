#include <signal.h>
#include <unistd.h>

#include "tests/death/kill_at.h"

namespace shmrpc {
namespace testing {

void EndThisProcess() {
  kill(getpid(), SIGKILL);
  while (true) pause();
}

}  // namespace testing
}  // namespace shmrpc
