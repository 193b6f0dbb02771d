#include <unistd.h>

#include "tests/death/break_own.h"
#include "tests/support/truncate_objects_linux.h"

namespace shmrpc {
namespace testing {

bool BreakOwnConnections() {
  // Larger than anything else that a client makes without a payload.
  constexpr int64_t kConnectionBytes = 100 * 1024;
  return TruncateObjects(static_cast<uint32_t>(getpid()), "/dev/shm/",
                         kConnectionBytes) > 0;
}

}  // namespace testing
}  // namespace shmrpc
