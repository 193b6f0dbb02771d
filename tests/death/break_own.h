// Takes away the memory of this process's own connections.
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_DEATH_BREAK_OWN_H_
#define SHMRPC_TESTS_DEATH_BREAK_OWN_H_

namespace shmrpc {
namespace testing {

// Linux: truncates them, for both sides. False: there were none, or it cannot
// be done on this system.
bool BreakOwnConnections();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_BREAK_OWN_H_
