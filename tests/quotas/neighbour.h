// An honest client in a process of its own, beside a greedy one.
//
//   Neighbour neighbour(server.target());
//   ... the test takes all it can get ...
//   EXPECT_TRUE(neighbour.Works());
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TESTS_QUOTAS_NEIGHBOUR_H_
#define SHMRPC_TESTS_QUOTAS_NEIGHBOUR_H_

#include <string>

#include "gtest/gtest.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {

class Neighbour {
 public:
  // Connects, and has called once.
  explicit Neighbour(const std::string& target);
  ~Neighbour();

  // Ten small calls and one of a mebibyte each way, all of which succeed.
  ::testing::AssertionResult Works();

 private:
  Subprocess process_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_QUOTAS_NEIGHBOUR_H_
