// Takes the memory away from under a connection, as a hostile peer or a system
// out of memory can.

#ifndef SHMRPC_TESTS_TROUBLE_BREAK_CONNECTION_H_
#define SHMRPC_TESTS_TROUBLE_BREAK_CONNECTION_H_

#include <cstdint>

namespace shmrpc {
namespace testing {

// Every connection object of the server `server_pid` faults from now on. Linux:
// they are truncated, for both sides. Windows: this process's views of
// connection objects are made inaccessible. Returns how many.
int BreakConnections(uint32_t server_pid);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_TROUBLE_BREAK_CONNECTION_H_
