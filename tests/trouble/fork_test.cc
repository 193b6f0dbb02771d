// Processes that fork or exec while they hold a channel or a server.

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/support/eventually.h"
#include "tests/support/footprint.h"
#include "tests/support/proc_linux.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

std::string Describe(const Status& status) {
  return absl::StrCat(status.error_code(), " ", status.error_message());
}

// Runs `body` in a forked child that ends by exit(), static destructors and
// all, with what it returns.
int InForkedChild(int (*body)(EchoClient* client, const std::string& name),
                  EchoClient* client, const std::string& name) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);  // no watchdog thread here
    exit(body(client, name));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int ChildCalls(EchoClient* client, const std::string& name) {
  const Status status = client->Call(SmallRequest());
  SendLine(Describe(status));
  return 0;
}

int ChildMakesItsOwnChannel(EchoClient* client, const std::string& name) {
  EchoClient own(name);
  const Status small = own.Call(SmallRequest());
  const Status large = own.Call(LargeRequest(1 << 20));
  SendLine(Describe(small.ok() ? large : small));
  return 0;
}

int ChildDropsTheChannel(EchoClient* client, const std::string& name) {
  client->Reset();
  SendLine("dropped");
  return 0;
}

// Argument: server name, which child. Forks while it holds a channel: after
// a call, and again while a call of another thread is in flight.
SHMRPC_TEST_ROLE(forking_client) {
  EchoClient client(args.at(0));
  if (!client.Call(LargeRequest(1 << 20)).ok()) return 1;
  auto* body = args.at(1) == "calls"     ? &ChildCalls
               : args.at(1) == "channel" ? &ChildMakesItsOwnChannel
                                         : &ChildDropsTheChannel;
  SendLine(absl::StrCat("exit ", InForkedChild(body, &client, args.at(0))));
  SendLine(Describe(client.Call(SmallRequest())));

  EchoRequest slow = SmallRequest();
  slow.set_sleep_ms(300);
  Status slow_status;
  std::thread caller([&] { slow_status = client.Call(slow); });
  std::string line;
  ReceiveLine(&line);  // its handler runs
  SendLine(absl::StrCat("exit ", InForkedChild(body, &client, args.at(0))));
  caller.join();
  SendLine(Describe(slow_status));
  SendLine(Describe(client.Call(LargeRequest(1 << 20))));
  return 0;
}

class ForkedClient : public ::testing::Test {
 protected:
  // What the child is to say each time.
  void Run(const char* child, const std::string& child_says) {
    EchoServer server(UniqueName("fork"));
    Subprocess client = SpawnRole("forking_client", {server.name(), child});
    EXPECT_EQ(client.ReadLine(), child_says) << child;
    EXPECT_EQ(client.ReadLine(), "exit 0");
    EXPECT_EQ(client.ReadLine(), "0 ");
    const int own_calls = std::string(child) == "channel" ? 2 : 0;
    server.AwaitCalls(1 + own_calls + 1 + 1);
    client.WriteLine("go on");
    EXPECT_EQ(client.ReadLine(), child_says) << child;
    EXPECT_EQ(client.ReadLine(), "exit 0");
    EXPECT_EQ(client.ReadLine(), "0 ");
    EXPECT_EQ(client.ReadLine(), "0 ");
    EXPECT_TRUE(client.Wait().ok());
    EchoClient(server.name()).ExpectWorks();
    server.ShutDown();
  }
};

TEST_F(ForkedClient, ChildOnParentsChannelIsUnavailableParentGoesOn) {
  EchoServer server(UniqueName("fork"));
  Subprocess client = SpawnRole("forking_client", {server.name(), "calls"});
  const auto child_says = client.ReadLine();
  ASSERT_TRUE(child_says.has_value());
  for (const char* part :
       {"14 ", "made before fork()", "make a new one in the child"}) {
    EXPECT_THAT(*child_says, ::testing::HasSubstr(part));
  }
  EXPECT_THAT(*child_says, ::testing::HasSubstr(server.target()));
  EXPECT_EQ(client.ReadLine(), "exit 0");
  EXPECT_EQ(client.ReadLine(), "0 ");
  server.AwaitCalls(3);
  client.WriteLine("go on");
  EXPECT_EQ(client.ReadLine(), child_says);
  EXPECT_EQ(client.ReadLine(), "exit 0");
  EXPECT_EQ(client.ReadLine(), "0 ");
  EXPECT_EQ(client.ReadLine(), "0 ");
  EXPECT_TRUE(client.Wait().ok());
  server.ShutDown();
}

TEST_F(ForkedClient, ChildsOwnChannelWorksParentGoesOn) {
  Run("channel", "0 ");
}

TEST_F(ForkedClient, ChildDropsTheChannelParentGoesOn) {
  Run("drop", "dropped");
}

// --- a server that forks

// Commands: "fork": a child that lives until stdin's writer is gone, and does
// nothing; "fork_drop": a child that destroys its copy of the server and exits.
bool ForkCommands(const std::string& command, std::unique_ptr<Server>* server) {
  if (command == "fork") {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return false;
    const pid_t child = fork();
    if (child == 0) {
      // Lives on when its parent is dead, but not without end.
      alarm(60);
      close(pipe_ends[0]);
      if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte;
    close(pipe_ends[1]);
    if (read(pipe_ends[0], &byte, 1) != 1) return false;
    SendLine(absl::StrCat(child));
    return true;
  }
  if (command == "fork_drop") {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      server->reset();
      exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    SendLine(WIFEXITED(status) ? absl::StrCat("exit ", WEXITSTATUS(status))
                               : absl::StrCat("signal ", WTERMSIG(status)));
    return true;
  }
  if (command == "exec") {
    std::string program = SelfExecutable();
    std::string role = "--role=sleeper";
    char* argv[] = {&program[0], &role[0], nullptr};
    execv(argv[0], argv);
  }
  return false;
}

SHMRPC_TEST_ROLE(forking_server) { return RunEchoServer(args, &ForkCommands); }

// Another program in the old process.
SHMRPC_TEST_ROLE(sleeper) {
  SendLine("asleep");
  std::string line;
  while (ReceiveLine(&line)) {
  }
  return 0;
}

TEST(ForkedServer, KilledNameIsFreeAlthoughTheChildLives) {
  EchoServer server(UniqueName("fork"), "forking_server");
  EchoClient client(server.name());
  client.ExpectWorks();
  int child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(server.Command("fork"), &child));
  client.ExpectWorks();
  Status status;
  std::thread caller([&] { status = client.Call(HeldRequest()); });
  server.AwaitCalls(3);
  server.Kill();
  {
    Watchdog dog(30, "a call whose server was killed and has a child");
    caller.join();
  }
  ExpectUnavailable(status, {server.target(), "ended"});
  EXPECT_EQ(kill(child, 0), 0) << "the child is to live on";
  EchoServer second(server.name());
  EXPECT_TRUE(second.started()) << second.error();
  client.ExpectWorks();
  second.ShutDown();
  EXPECT_EQ(kill(child, SIGKILL), 0);
  // Until then it holds what it has from its parent.
  EXPECT_TRUE(Eventually([&] {
    const char state = StateOf(static_cast<uint32_t>(child));
    return state == 'Z' || state == '?';
  }));
  ExpectNextServerReclaims();
}

TEST(ForkedServer, ShutDownNameIsFreeAlthoughTheChildLives) {
  EchoServer server(UniqueName("fork"), "forking_server");
  EchoClient client(server.name());
  client.ExpectWorks();
  int child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(server.Command("fork"), &child));
  server.ShutDown();
  EchoServer second(server.name());
  EXPECT_TRUE(second.started()) << second.error();
  second.ShutDown();
  EXPECT_EQ(kill(child, SIGKILL), 0);
}

TEST(ForkedServer, ChildDestroysItsCopyParentGoesOn) {
  EchoServer server(UniqueName("fork"), "forking_server");
  EchoClient client(server.name());
  client.ExpectWorks();
  EXPECT_EQ(server.Command("fork_drop"), "exit 0");
  client.ExpectWorks();
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
}

// --- exec

SHMRPC_TEST_ROLE(execing_client) {
  EchoClient client(args.at(0));
  if (!client.Call(LargeRequest(1 << 20)).ok()) return 1;
  SendLine("connected");
  std::string line;
  ReceiveLine(&line);
  std::string program = SelfExecutable();
  std::string role = "--role=sleeper";
  char* argv[] = {&program[0], &role[0], nullptr};
  execv(argv[0], argv);
  return 1;
}

TEST(ExecedClient, ServerDropsItAtTheNextAccept) {
  EchoServer server(UniqueName("exec"));
  EchoClient(server.name()).ExpectWorks();  // starts what the server keeps
  ASSERT_TRUE(
      Eventually([&] { return FootprintOf(server.pid()).mappings == 1; }));
  Subprocess client = SpawnRole("execing_client", {server.name()});
  ASSERT_EQ(client.ReadLine(), "connected");
  EXPECT_GT(FootprintOf(server.pid()).mappings, 1);
  client.WriteLine("exec");
  ASSERT_EQ(client.ReadLine(), "asleep");
  EchoClient next(server.name());
  next.ExpectWorks();
  EXPECT_THAT(server.AwaitLog("let go of it"),
              ::testing::HasSubstr(absl::StrCat(client.pid())));
  next.Reset();
  EXPECT_TRUE(Eventually([&] {
    return FootprintOf(server.pid()).mappings == 1;
  })) << FootprintOf(server.pid());
  server.ShutDown();
  client.CloseStdin();
  EXPECT_TRUE(client.Wait().ok());
  ExpectNextServerReclaims();
}

TEST(ExecedServer, CallInFlightIsUnavailableWithinSeconds) {
  EchoServer server(UniqueName("exec"), "forking_server");
  EchoClient client(server.name());
  Status status;
  std::thread caller([&] { status = client.Call(HeldRequest()); });
  server.AwaitCalls(1);
  EXPECT_EQ(server.Command("exec"), "asleep");
  {
    Watchdog dog(30, "a call whose server became another program");
    caller.join();
  }
  ExpectUnavailable(status, {server.target(), "gave up its name"});
  ExpectUnavailable(client.Call(SmallRequest()),
                    {server.target(), "no server is listening"});
  EchoServer second(server.name());
  EXPECT_TRUE(second.started()) << second.error();
  client.ExpectWorks();
  second.ShutDown();
  server.process().CloseStdin();
  EXPECT_TRUE(server.process().Wait().ok());
  ExpectNextServerReclaims();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
