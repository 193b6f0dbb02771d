#include <windows.h>

#include "tests/death/kill_at.h"

namespace shmrpc {
namespace testing {

void EndThisProcess() {
  TerminateProcess(GetCurrentProcess(), 137);
  Sleep(INFINITE);
}

}  // namespace testing
}  // namespace shmrpc
