// Waits for what nobody tells of.
//
//   ASSERT_TRUE(Eventually([&] { return StateOf(pid) == 'T'; }));
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SUPPORT_EVENTUALLY_H_
#define SHMRPC_TESTS_SUPPORT_EVENTUALLY_H_

#include <functional>

namespace shmrpc {
namespace testing {

// Looks every few milliseconds until `condition` holds; false: not within a
// minute.
bool Eventually(const std::function<bool()>& condition);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_EVENTUALLY_H_
