// Servers of all sessions: there the server makes the connections, whoever
// calls (docs/decisions/0014). On Linux the scope is a name like others, and
// this is the way that calls between two users take, walked by one.

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/trouble/support.h"
#include "transport/platform/process.h"
#include "transport/platform/user.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

std::string NewGlobalName() { return "global/" + UniqueName("access"); }

// Calls and never returns by itself. Arguments: name, bytes of the payload.
SHMRPC_TEST_ROLE(held_caller) {
  EchoRequest request = HeldRequest();
  request.set_payload(std::string(std::stoul(args.at(1)), 'x'));
  EchoClient(args.at(0)).Call(request);
  return 0;
}

TEST(GlobalScope, MessagesOfAllSizesCross) {
  EchoServer server(NewGlobalName());
  ASSERT_TRUE(server.started()) << server.error();
  EchoClient client(server.name());
  for (const int64_t size_bytes : {0, 100, 8000, 9000, 1000000, 20000000}) {
    EchoReply reply;
    const EchoRequest request = LargeRequest(size_bytes);
    const Status status = client.Call(request, &reply);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(reply.payload().size(), request.payload().size());
  }
  client.Reset();
  server.ShutDown();
}

TEST(GlobalScope, HandlerSeesWhoCalls) {
  EchoServer server(NewGlobalName());
  EchoClient client(server.name());
  EchoRequest request;
  request.set_text(kWhoAmI);
  EchoReply reply;
  ASSERT_TRUE(client.Call(request, &reply).ok());
  const platform::ProcessId self = platform::CurrentProcess();
  EXPECT_THAT(reply.text(),
              HasSubstr(absl::StrCat("user=", platform::CurrentUser(), " ")));
  EXPECT_THAT(reply.text(),
              HasSubstr(absl::StrCat("pid=", self.pid, " start_time=",
                                     self.start_time, " identity=user")));
  client.Reset();
  server.ShutDown();
}

TEST(GlobalScope, KilledServerEndsCallsAndTheNextOneServes) {
  const std::string name = NewGlobalName();
  Watchdog dog(100, "a global server that was killed");
  EchoClient client(name);
  {
    EchoServer server(name);
    EXPECT_TRUE(client.Call(LargeRequest(3000000)).ok());
    Status status;
    std::thread held([&] { status = client.Call(HeldRequest()); });
    server.AwaitCalls(2);
    server.Kill();
    held.join();
    ExpectUnavailable(status, {"ended"});
  }
  EchoServer again(name);
  ASSERT_TRUE(again.started()) << again.error();
  EXPECT_TRUE(client.Call(LargeRequest(3000000)).ok());
  client.Reset();
  again.ShutDown();
}

TEST(GlobalScope, KilledClientHarmsNobodyAndItsCallEnds) {
  EchoServer server(NewGlobalName());
  Watchdog dog(100, "a client of a global server that was killed");
  EchoClient client(server.name());
  client.ExpectWorks();
  Subprocess caller = SpawnRole("held_caller", {server.name(), "3000000"});
  server.AwaitCalls(2);
  caller.Kill();
  caller.Wait();
  client.ExpectWorks();
  EXPECT_TRUE(client.Call(LargeRequest(3000000)).ok());
  client.Reset();
  // Waits for its handlers: the dead client's has been told.
  server.ShutDown();
  // What the killed one left has the next client, or server, reclaim.
  EchoServer next(NewGlobalName());
  next.ShutDown();
}

TEST(GlobalScope, ManyClientsInTurnLeaveNothing) {
  EchoServer server(NewGlobalName());
  for (int i = 0; i < 20; ++i) {
    EchoClient client(server.name());
    EXPECT_TRUE(client.Call(LargeRequest(100000)).ok());
  }
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
