#include "tests/interop/interop_server.h"

#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "tests/interop/interop_service.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace interop {

using ::shmrpc::testing::ExitStatus;
using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::SendLine;

// Answers "responses begun" with their number, "await cancelled N" with "yes"
// when it has come to that. Ends when its stdin does.
SHMRPC_TEST_ROLE(interop_server) {
  InteropServiceImpl service;
  ServerBuilder builder;
  builder.AddListeningPort(args[0], InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  SendLine("ready");
  for (std::string line; ReceiveLine(&line);) {
    absl::string_view rest = line;
    int64_t count = 0;
    if (line == "responses begun") {
      SendLine(absl::StrCat(service.responses_begun()));
    } else if (absl::ConsumePrefix(&rest, "await cancelled ") &&
               absl::SimpleAtoi(rest, &count)) {
      service.AwaitCancelled(count);
      SendLine("yes");
    }
  }
  server->Shutdown();
  return 0;
}

InteropServer::InteropServer()
    : target_(shmrpc::testing::NewTarget()),
      process_(shmrpc::testing::SpawnRole("interop_server", {target_})) {
  EXPECT_EQ(process_.ReadLine(), "ready");
}

InteropServer::~InteropServer() {
  process_.CloseStdin();
  const ExitStatus status = process_.Wait();
  EXPECT_TRUE(status.ok()) << "the server ended with exit code " << status.code
                           << ", signal " << status.signal;
}

int64_t InteropServer::ResponsesBegun() {
  EXPECT_TRUE(process_.WriteLine("responses begun"));
  int64_t count = -1;
  EXPECT_TRUE(absl::SimpleAtoi(process_.ReadLine().value_or(""), &count));
  return count;
}

void InteropServer::AwaitCancelled(int64_t count) {
  EXPECT_TRUE(process_.WriteLine(absl::StrCat("await cancelled ", count)));
  EXPECT_EQ(process_.ReadLine(), "yes");
}

}  // namespace interop
}  // namespace shmrpc
