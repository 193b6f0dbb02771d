// main() of tests whose program also plays other roles (see role.h).

#include "gtest/gtest.h"
#include "transport/platform/testing/role.h"

// ThreadSanitizer is not told what goes on within Abseil's Mutex, but sees that
// the memory of a thread's identity was mapped there: it takes that for a race
// with the first wake-up of the thread.
extern "C" const char* __tsan_default_suppressions() {
  return "race:AbslInternalPerThreadSemPost";
}

int main(int argc, char** argv) {
  int exit_code = 0;
  if (shmrpc::testing::RunRoleIfAsked(argc, argv, &exit_code)) return exit_code;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
