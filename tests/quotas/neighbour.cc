#include "tests/quotas/neighbour.h"

#include <memory>

#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {
namespace {

// One line in, one round of calls, one line out.
SHMRPC_TEST_ROLE(neighbour) {
  auto stub = EchoService::NewStub(NewChannel(args.at(0)));
  std::string line;
  while (ReceiveLine(&line)) {
    ::testing::AssertionResult result = ::testing::AssertionSuccess();
    for (int i = 0; i < 10 && result; ++i) {
      result = EchoesBack(stub.get(), Pattern(100, 1));
    }
    if (result) result = EchoesBack(stub.get(), Pattern(1 << 20, 2));
    SendLine(result ? "ok" : result.message());
  }
  return 0;
}

}  // namespace

Neighbour::Neighbour(const std::string& target)
    : process_(SpawnRole("neighbour", {target})) {
  EXPECT_TRUE(Works());
}

Neighbour::~Neighbour() {
  process_.CloseStdin();
  EXPECT_TRUE(process_.Wait().ok());
}

::testing::AssertionResult Neighbour::Works() {
  if (!process_.WriteLine("go")) {
    return ::testing::AssertionFailure() << "the neighbour has ended";
  }
  const auto line = process_.ReadLine();
  if (line == "ok") return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "the neighbour: " << line.value_or("has ended");
}

}  // namespace testing
}  // namespace shmrpc
