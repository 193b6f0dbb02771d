// A server that does not run although it lives: SIGSTOP.

#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/support/stop_linux.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

class StoppedServer : public ::testing::Test {
 protected:
  StoppedServer() : server_(UniqueName("stopped")) {}
  ~StoppedServer() override { Continue(); }

  void Stop() { ASSERT_TRUE(StopProcess(server_.pid())); }
  void Continue() { kill(static_cast<pid_t>(server_.pid()), SIGCONT); }

  EchoServer server_;
};

TEST_F(StoppedServer, CallEndsAtItsDeadlineAndWorksAfterwards) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  Stop();
  for (int i = 0; i < 3; ++i) {
    ExpectStatus(client.Call(SmallRequest(), nullptr, 50),
                 StatusCode::DEADLINE_EXCEEDED, {"Deadline Exceeded"});
  }
  ExpectStatus(client.Call(LargeRequest(1 << 20), nullptr, 50),
               StatusCode::DEADLINE_EXCEEDED, {"Deadline Exceeded"});
  Continue();
  for (int i = 0; i < 100; ++i) client.ExpectWorks();
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  server_.ShutDown();
}

TEST_F(StoppedServer, ConnectEndsAtItsDeadlineAndWorksAfterwards) {
  Stop();
  EchoClient client(server_.name());
  for (int i = 0; i < 3; ++i) {
    ExpectStatus(client.Call(SmallRequest(), nullptr, 50),
                 StatusCode::DEADLINE_EXCEEDED, {"Deadline Exceeded"});
  }
  Continue();
  client.ExpectWorks();
  server_.ShutDown();
}

TEST_F(StoppedServer, CallWithoutDeadlineIsAnsweredOnceItRuns) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  Stop();
  Status status(StatusCode::UNKNOWN, "not called");
  std::thread caller([&] { status = client.Call(SmallRequest()); });
  // A second call proves that the stop has been met; then the first may end.
  ExpectStatus(client.Call(SmallRequest(), nullptr, 50),
               StatusCode::DEADLINE_EXCEEDED, {});
  Continue();
  Watchdog dog(40, "a call to a server that was stopped and runs again");
  caller.join();
  EXPECT_TRUE(status.ok()) << status;
  server_.ShutDown();
}

// Its cancel does not fit the ring, nobody uses the channel any more, and no
// deadline would end the handler.
TEST(StoppedStream, ThatIsCancelledEndsItsHandlerOnceTheServerRuns) {
  Watchdog dog(60, "a handler whose stream was cancelled");
  ScriptedServer server;
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  Item response;
  auto stream = server.stub->ClientStream(&context, &response);
  script.AwaitStart(server.observer.get());
  const uint32_t pid = server.process.pid();
  ASSERT_TRUE(StopProcess(pid));
  // More than the ring holds.
  for (int i = 0; i < 30; ++i) {
    ClientContext filler;
    filler.set_deadline(std::chrono::system_clock::now() +
                        std::chrono::milliseconds(1));
    EXPECT_EQ(
        MakeCall(server.stub.get(), CallKind::kUnary, &filler, ItemOf(4000))
            .status.error_code(),
        StatusCode::DEADLINE_EXCEEDED);
  }
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  stream.reset();
  kill(static_cast<pid_t>(pid), SIGCONT);
  EXPECT_TRUE(script.AwaitEnd(server.observer.get()).was_cancelled());
  server.process.BeginShutdown();
  server.process.AwaitDown();
}

TEST_F(StoppedServer, ManyCallsThatTimedOutLeaveNothingBehind) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  Stop();
  // More than the ring holds: the rest waits in the client's backlog.
  EchoRequest request = SmallRequest();
  request.set_payload(std::string(4000, 'x'));
  for (int i = 0; i < 60; ++i) {
    ExpectStatus(client.Call(request, nullptr, 2),
                 StatusCode::DEADLINE_EXCEEDED, {});
  }
  Continue();
  for (int i = 0; i < 100; ++i) client.ExpectWorks();
  server_.ShutDown();
}

TEST_F(StoppedServer, KilledWhileStoppedCallEnds) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  Stop();
  Status status;
  std::thread caller([&] { status = client.Call(SmallRequest()); });
  ExpectStatus(client.Call(SmallRequest(), nullptr, 20),
               StatusCode::DEADLINE_EXCEEDED, {});
  server_.Kill();
  Watchdog dog(30, "a call whose stopped server was killed");
  caller.join();
  ExpectUnavailable(status, {server_.target()});
  ExpectNextServerReclaims();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
