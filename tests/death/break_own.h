// Takes away the memory of this process's own connections: truncates the
// objects (Linux), or makes this process's views of them inaccessible
// (Windows).
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_DEATH_BREAK_OWN_H_
#define SHMRPC_TESTS_DEATH_BREAK_OWN_H_

namespace shmrpc {
namespace testing {

// False: there were none.
bool BreakOwnConnections();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_BREAK_OWN_H_
