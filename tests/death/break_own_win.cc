#include "tests/death/break_own.h"

namespace shmrpc {
namespace testing {

bool BreakOwnConnections() { return false; }

}  // namespace testing
}  // namespace shmrpc
