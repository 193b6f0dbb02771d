#include "tests/trouble/break_connection.h"
#include "tests/trouble/proc_linux.h"

namespace shmrpc {
namespace testing {

int BreakConnections(uint32_t server_pid) {
  return TruncateObjects(server_pid, "/dev/shm/shmrpc.conn.");
}

}  // namespace testing
}  // namespace shmrpc
