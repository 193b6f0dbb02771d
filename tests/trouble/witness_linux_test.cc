// Whom the kernel vouches for: a peer cannot pass for another process, and one
// in another pid namespace is told so.

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "shmrpc/version.h"
#include "tests/trouble/fake_peer.h"
#include "tests/trouble/pid_namespace_linux.h"
#include "tests/trouble/support.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

SHMRPC_TEST_ROLE(other_layout_lobby) {
  const auto lobby =
      MakeFakeLobby(args.at(0), [](memory::LobbyIdentity* identity) {
        identity->layout_version = kLayoutVersion + 1;
      });
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Calls once, says how it ended.
SHMRPC_TEST_ROLE(one_call) {
  const Status status = EchoClient(args.at(0)).Call(SmallRequest());
  SendLine(absl::StrCat(status.error_code(), " ", status.error_message()));
  return 0;
}

class PidNamespace : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Proc, PidNamespace,
                         ::testing::Values("proc", "outer_proc"),
                         [](const auto& info) { return info.param; });

TEST_P(PidNamespace, ClientInsideServerOutsideIsToldSo) {
  EchoServer server(UniqueName("outside"));
  Subprocess client =
      SpawnRole("in_pid_namespace", {GetParam(), "one_call", server.name()});
  const std::string line = client.ReadLine().value_or("(nothing)");
  SKIP_IF_FORBIDDEN(line);
  EXPECT_THAT(line, ::testing::StartsWith("14 "));
  EXPECT_THAT(line, HasSubstr(server.target()));
  EXPECT_THAT(line, HasSubstr("pid namespace"));
  EXPECT_THAT(line, HasSubstr("run both in the same one"));
  EXPECT_TRUE(client.Wait().ok());
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
}

TEST_P(PidNamespace, ServerInsideClientOutsideIsToldSo) {
  const std::string name = UniqueName("inside");
  Subprocess server =
      SpawnRole("in_pid_namespace", {GetParam(), "echo_server", "shm:" + name});
  const std::string line = server.ReadLine().value_or("(nothing)");
  SKIP_IF_FORBIDDEN(line);
  ASSERT_EQ(line, "ready");
  Watchdog dog(40, "a call into another pid namespace");
  ExpectUnavailable(
      EchoClient(name).Call(SmallRequest()),
      {"shm:" + name, "pid namespace", "run both in the same one"});
  server.CloseStdin();
  EXPECT_TRUE(server.Wait().ok());
}

TEST(PidNamespace, BothInsideWithTheirOwnProcWork) {
  // The server is the namespace's first process; a client joins as its child
  // cannot (roles talk to the test only), so one process plays both.
  const std::string name = UniqueName("both");
  Subprocess both =
      SpawnRole("in_pid_namespace", {"proc", "server_and_client", name});
  const std::string line = both.ReadLine().value_or("(nothing)");
  SKIP_IF_FORBIDDEN(line);
  EXPECT_EQ(line, "0 ");
  EXPECT_TRUE(both.Wait().ok());
}

SHMRPC_TEST_ROLE(server_and_client) {
  EchoServer server(args.at(0));
  const Status status = EchoClient(args.at(0)).Call(SmallRequest());
  SendLine(absl::StrCat(status.error_code(), " ", status.error_message()));
  server.ShutDown();
  return 0;
}

TEST(Witness, LobbyOfAnotherLayoutIsNamedWithPidAndProgram) {
  const std::string name = UniqueName("fake");
  Subprocess fake = SpawnRole("other_layout_lobby", {"shm:" + name});
  ASSERT_EQ(fake.ReadLine(), "ready");
  ExpectUnavailable(EchoClient(name).Call(SmallRequest()),
                    {ProgramName(), absl::StrCat("(pid ", fake.pid(), ")")});
  fake.CloseStdin();
  EXPECT_TRUE(fake.Wait().ok());
}

TEST(Witness, ClientClaimingToBeAnotherProcessIsRefused) {
  EchoServer server(UniqueName("fooled"));
  EchoServer other(UniqueName("other"));
  const auto other_id = platform::ProcessWithPid(other.pid());
  ASSERT_TRUE(other_id.ok()) << other_id.status();
  FakeClient fake(server.target());
  fake.Offer([&](memory::ConnectionHeader* header) {
    header->client_pid = other_id->pid;
    header->client_start_time = other_id->start_time;
  });
  EXPECT_EQ(fake.AwaitAnswer(), memory::kRefusedPidNamespace);
  const std::string log = server.AwaitLog("it says its pid is");
  EXPECT_THAT(log, HasSubstr(absl::StrCat(other_id->pid)));
  EXPECT_THAT(log, HasSubstr(absl::StrCat(getpid())));
  EchoClient(server.name()).ExpectWorks();
  other.ShutDown();
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
