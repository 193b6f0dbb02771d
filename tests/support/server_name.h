// Targets no other run of a test uses.
//
//   const std::string target = NewTarget();         // "shm:test.8f2e...-0"
//
// After the last test of a program that links this, the program fails if an
// object under one of these names still exists, or this process still maps
// shared memory: end servers and drop channels before that.

#ifndef SHMRPC_TESTS_SUPPORT_SERVER_NAME_H_
#define SHMRPC_TESTS_SUPPORT_SERVER_NAME_H_

#include <string>

namespace shmrpc {
namespace testing {

std::string NewTarget();
std::string NewGlobalTarget();  // "shm:global/test..."

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_SERVER_NAME_H_
