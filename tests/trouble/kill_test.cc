// One side is killed in the middle of a call: the other knows at once, and what
// the dead one left is used again.

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

using Clock = std::chrono::steady_clock;

// Makes one call without deadline, and says how it ended.
SHMRPC_TEST_ROLE(held_caller) {
  EchoClient client(args.at(0));
  client.ExpectWorks();
  SendLine("connected");
  const Status status = client.Call(HeldRequest());
  SendLine(absl::StrCat(status.error_code(), " ", status.error_message()));
  return 0;
}

TEST(ServerKilled, MidCallWithoutDeadlineEndsAtOnce) {
  EchoServer server(UniqueName("killed"));
  EchoClient client(server.name());
  Status status;
  Clock::time_point ended;
  std::thread caller([&] {
    status = client.Call(HeldRequest());
    ended = Clock::now();
  });
  server.AwaitCalls(1);
  const Clock::time_point killed = Clock::now();
  server.process().Kill();
  {
    Watchdog dog(30, "a call without deadline whose server was killed");
    caller.join();
  }
  ExpectUnavailable(
      status, {absl::StrCat("server ", server.target(), "/", server.pid()),
               "ended", "killed"});
  std::printf(
      "server killed -> call ended: %.3f ms\n",
      std::chrono::duration<double, std::milli>(ended - killed).count());
  server.process().Wait();
  ExpectNextServerReclaims();
}

TEST(ServerKilled, ManyCallsInFlightAllEnd) {
  constexpr int kCalls = 8;
  EchoServer server(UniqueName("killed-many"));
  EchoClient client(server.name());
  Status statuses[kCalls];
  std::vector<std::thread> callers;
  for (Status& status : statuses) {
    callers.emplace_back([&] { status = client.Call(HeldRequest()); });
  }
  server.AwaitCalls(kCalls);
  server.Kill();
  {
    Watchdog dog(30, "calls without deadline whose server was killed");
    for (std::thread& t : callers) t.join();
  }
  for (const Status& status : statuses) {
    ExpectUnavailable(status, {server.target(), "ended"});
  }
  ExpectNextServerReclaims();
}

TEST(ServerKilled, CallerInAnotherProcessIsToldWhy) {
  EchoServer server(UniqueName("killed-far"));
  Subprocess caller = SpawnRole("held_caller", {server.name()});
  ASSERT_EQ(caller.ReadLine(), "connected");
  server.AwaitCalls(2);
  server.Kill();
  EXPECT_THAT(caller.ReadLine(30).value_or("(nothing)"),
              ::testing::AllOf(::testing::StartsWith("14 "),
                               ::testing::HasSubstr(server.target())));
  EXPECT_TRUE(caller.Wait().ok());
  ExpectNextServerReclaims();
}

TEST(ServerKilled, ByItsOwnHandlerCallEnds) {
  EchoServer server(UniqueName("crashed"));
  EchoClient client(server.name());
  EchoRequest request;
  request.set_crash(true);
  {
    Watchdog dog(30, "a call whose handler ended the process");
    ExpectUnavailable(client.Call(request), {server.target(), "ended"});
  }
  EXPECT_EQ(server.process().Wait().code, 42);
  ExpectNextServerReclaims();
}

TEST(ServerKilled, WhileIdleNextCallSaysNoServer) {
  EchoServer server(UniqueName("killed-idle"));
  EchoClient client(server.name());
  client.ExpectWorks();
  server.Kill();
  Watchdog dog(30, "a call to a killed server");
  ExpectUnavailable(client.Call(SmallRequest()), {server.target()});
  // By then the death is known for sure; the text is that of a connect.
  ExpectUnavailable(
      client.Call(SmallRequest()),
      {"failed to connect to all addresses", server.target(), "start it"});
  ExpectNextServerReclaims();
}

TEST(ServerKilled, NextServerTakesTheNameAndSameChannelWorks) {
  EchoServer first(UniqueName("again"));
  EchoClient client(first.name());
  client.ExpectWorks();
  first.Kill();
  EchoServer second(first.name());
  ASSERT_TRUE(second.started()) << second.error();
  // The first call may meet the death itself.
  Watchdog dog(30, "the reconnect");
  while (!client.Call(SmallRequest()).ok()) {
  }
  EchoReply reply;
  EXPECT_TRUE(client.Call(SmallRequest(), &reply).ok());
  EXPECT_THAT(reply.peer(), ::testing::StartsWith(first.target()));
  second.ShutDown();
}

TEST(ServerKilled, NamesLeftBehindAreReclaimedByAServerOfAnotherName) {
  EchoServer server(UniqueName("left"));
  EchoClient client(server.name());
  client.ExpectWorks();
  server.Kill();
  if (HavePrivateShm()) {
    EXPECT_THAT(Leftovers("shmrpc."),
                ::testing::Contains("shmrpc.srv." + server.name()));
  }
  ExpectNextServerReclaims();
}

TEST(ClientKilled, MidCallServerGoesOn) {
  EchoServer server(UniqueName("bereft"));
  EchoClient other(server.name());
  other.ExpectWorks();
  for (int i = 0; i < 3; ++i) {
    Subprocess caller = SpawnRole("held_caller", {server.name()});
    ASSERT_EQ(caller.ReadLine(), "connected");
    server.AwaitCalls(3 * i + 3);
    caller.Kill();
    caller.Wait();
    other.ExpectWorks();
  }
  // A clean shutdown waits for running handlers: so these were cancelled.
  server.ShutDown();
  ExpectNextServerReclaims();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
