// Parts that a test program plays in processes of its own. Linked with
// test_main, a test starts itself again in another role and talks to it in
// lines:
//
//   SHMRPC_TEST_ROLE(echo) {                    // int f(const RoleArgs& args)
//     std::string line;
//     while (ReceiveLine(&line)) SendLine(args[0] + line);
//     return 0;                                 // the exit code
//   }
//   TEST(Echo, LineGivenComesBack) {
//     Subprocess child = SpawnRole("echo", {"> "});
//     child.WriteLine("hi");
//     EXPECT_EQ(child.ReadLine(), "> hi");
//   }
//
// A role that has not ended after kRoleSeconds is aborted by a watchdog, so no
// orphan stays behind when a test dies. SHMRPC_TEST_ROLE_SECONDS in its
// environment is another number: for tests that may be told to run for long.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_ROLE_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_ROLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace testing {

constexpr int kRoleSeconds = 120;

// The arguments after --role=NAME.
using RoleArgs = std::vector<std::string>;
using RoleFunction = int (*)(const RoleArgs& args);

// Returns true, so that it can initialise a variable.
bool RegisterRole(absl::string_view name, RoleFunction function);

// Runs the role named by a first argument --role=NAME and stores its exit code;
// false if there is no such argument. An unknown role's exit code is 64.
bool RunRoleIfAsked(int argc, char** argv, int* exit_code);

// For roles: one line to the parent's ReadLine(), flushed at once.
void SendLine(absl::string_view line);

// For roles: the next line of the parent's WriteLine(), without its end. False
// when the parent has closed the pipe or died.
bool ReceiveLine(std::string* line);

}  // namespace testing
}  // namespace shmrpc

#define SHMRPC_TEST_ROLE(name)                                               \
  static int ShmrpcTestRole_##name(const ::shmrpc::testing::RoleArgs& args); \
  static const bool shmrpc_test_role_registered_##name =                     \
      ::shmrpc::testing::RegisterRole(#name, &ShmrpcTestRole_##name);        \
  static int ShmrpcTestRole_##name(                                          \
      [[maybe_unused]] const ::shmrpc::testing::RoleArgs& args)

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_ROLE_H_
