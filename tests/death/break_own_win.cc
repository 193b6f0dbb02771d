#include "tests/death/break_own.h"
#include "tests/trouble/break_connection.h"

namespace shmrpc {
namespace testing {

// There it is always this process's views that are taken away.
bool BreakOwnConnections() { return BreakConnections(0) > 0; }

}  // namespace testing
}  // namespace shmrpc
