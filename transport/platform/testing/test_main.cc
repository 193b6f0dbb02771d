// main() of tests whose program also plays other roles (see role.h).

#include "gtest/gtest.h"
#include "transport/platform/testing/role.h"

int main(int argc, char** argv) {
  int exit_code = 0;
  if (shmrpc::testing::RunRoleIfAsked(argc, argv, &exit_code)) return exit_code;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
