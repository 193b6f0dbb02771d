// main() of the tests in this folder: roles, a /dev/shm of our own where that
// is permitted, and after each test the check that none of our names is left.

#include <cstdio>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trouble/support.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"

namespace {

class NothingLeft : public ::testing::EmptyTestEventListener {
  void OnTestEnd(const ::testing::TestInfo&) override {
    if (!shmrpc::testing::HavePrivateShm()) return;  // others' names are there
    EXPECT_THAT(shmrpc::testing::Leftovers("shmrpc."), ::testing::IsEmpty());
  }
};

}  // namespace

int main(int argc, char** argv) {
  int exit_code = 0;
  if (shmrpc::testing::RunRoleIfAsked(argc, argv, &exit_code)) return exit_code;
  shmrpc::testing::EnterPrivateShm();
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::UnitTest::GetInstance()->listeners().Append(new NothingLeft);
  return RUN_ALL_TESTS();
}
