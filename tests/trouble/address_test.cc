// Names that nobody serves, that cannot be names, and that are taken.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

Status CallTarget(const std::string& target) {
  auto stub =
      EchoService::NewStub(CreateChannel(target, InsecureChannelCredentials()));
  ClientContext context;
  EchoReply reply;
  return stub->Echo(&context, SmallRequest(), &reply);
}

// What BuildAndStart logs when it gives null.
std::string LogOfFailedStart(const std::string& address) {
  std::string log;
  SetLogHandler([&log](const LogEntry& entry) { log += entry.message; });
  ServerBuilder builder;
  builder.AddListeningPort(address, InsecureServerCredentials());
  EXPECT_EQ(builder.BuildAndStart(), nullptr) << address;
  SetLogHandler(nullptr);
  return log;
}

TEST(NoServer, CallIsUnavailableAndSaysWhatToDo) {
  const std::string name = UniqueName("nobody");
  Watchdog dog(30, "a call without deadline and without server");
  const Status status = CallTarget("shm:" + name);
  ExpectUnavailable(
      status,
      {"failed to connect to all addresses; last error: ", "shm:" + name,
       "no server is listening under this name", "start it or check the name"});
}

TEST(NoServer, OtherNameIsServedStillUnavailable) {
  EchoServer server(UniqueName("right"));
  EchoClient wrong(server.name() + "x");
  ExpectUnavailable(wrong.Call(SmallRequest()),
                    {server.name() + "x", "no server is listening"});
  EchoClient right(server.name());
  right.ExpectWorks();
  server.ShutDown();
}

TEST(NoServer, OneStartsLaterSameChannelWorks) {
  const std::string name = UniqueName("later");
  EchoClient client(name);
  ExpectUnavailable(client.Call(SmallRequest()), {name});
  EchoServer server(name);
  ASSERT_TRUE(server.started()) << server.error();
  client.ExpectWorks();
  server.ShutDown();
  ExpectUnavailable(client.Call(SmallRequest()), {name});
}

struct BadTarget {
  std::string target;
  std::vector<std::string> parts;  // of the message
};

std::vector<BadTarget> BadTargets() {
  const std::string expected = "expected \"shm:NAME\"";
  return {
      {"", {"unknown scheme", expected}},
      {"greeter", {"target \"greeter\"", "unknown scheme", expected}},
      {"tcp:greeter", {"tcp:greeter", "unknown scheme", expected}},
      {"shm:", {"target \"shm:\"", "empty", expected}},
      {"shm:a/b", {"shm:a/b", "'/' at position 1", expected}},
      {"shm:a b", {"shm:a b", "' '", expected}},
      {"shm:a\\b", {"shm:a\\b", "'\\\\' at position 1", expected}},
      {"shm:.hidden", {"shm:.hidden", "must not start with one", expected}},
      {"shm:global.x", {"shm:global.x", "global.", expected}},
      {"shm:global/", {"shm:global/", expected}},
      {"shm:caf\xc3\xa9", {"caf", expected}},
      {absl::StrCat("shm:", std::string(65, 'n')), {"65 bytes", "64"}},
      {absl::StrCat("shm:global/", std::string(65, 'n')), {"65 bytes", "64"}},
  };
}

TEST(BadTarget, CallIsInvalidArgumentAndSaysWhatIsWrong) {
  for (const BadTarget& bad : BadTargets()) {
    SCOPED_TRACE(bad.target);
    ExpectStatus(CallTarget(bad.target), StatusCode::INVALID_ARGUMENT,
                 bad.parts);
  }
}

TEST(BadTarget, ServerDoesNotStartAndLogSaysWhatIsWrong) {
  for (const BadTarget& bad : BadTargets()) {
    SCOPED_TRACE(bad.target);
    const std::string log = LogOfFailedStart(bad.target);
    EXPECT_THAT(log, HasSubstr("server not started: "));
    for (const std::string& part : bad.parts) {
      EXPECT_THAT(log, HasSubstr(part));
    }
  }
}

TEST(LongestName, ServesAndAnswers) {
  const std::string unique = UniqueName("long");
  const std::string name = unique + std::string(64 - unique.size(), 'n');
  EchoServer server(name);
  ASSERT_TRUE(server.started()) << server.error();
  EchoClient(name).ExpectWorks();
  server.ShutDown();
}

TEST(NameTaken, ByLivingServerSecondDoesNotStartAndNamesTheFirst) {
  EchoServer first(UniqueName("taken"));
  ASSERT_TRUE(first.started()) << first.error();
  EchoServer second(first.name());
  EXPECT_FALSE(second.started());
  EXPECT_FALSE(second.process().Wait().ok());
  for (const std::string& part :
       {std::string("server not started"), "listen on " + first.target(),
        std::string("address already in use by"), ProgramName(),
        absl::StrCat("(pid ", first.pid(), ")"),
        std::string("stop it or choose another name")}) {
    EXPECT_THAT(second.error(), HasSubstr(part));
  }
  EchoClient(first.name()).ExpectWorks();  // undisturbed
  first.ShutDown();
}

TEST(NameTaken, InTheSameProcessSecondDoesNotStart) {
  const std::string address = "shm:" + UniqueName("twice");
  ServerBuilder builder;
  builder.AddListeningPort(address, InsecureServerCredentials());
  std::unique_ptr<Server> first = builder.BuildAndStart();
  ASSERT_NE(first, nullptr);
  const std::string log = LogOfFailedStart(address);
  EXPECT_THAT(log, HasSubstr(address));
  EXPECT_THAT(log, HasSubstr("address already in use"));
  first.reset();
  EXPECT_NE(builder.BuildAndStart(), nullptr);  // free again
}

TEST(NameTaken, OneOfTwoTheOtherIsFreeAfterwards) {
  EchoServer first(UniqueName("one-of-two"));
  const std::string free_name = UniqueName("free");
  std::string log;
  SetLogHandler([&log](const LogEntry& entry) { log += entry.message; });
  ServerBuilder builder;
  builder.AddListeningPort("shm:" + free_name, InsecureServerCredentials());
  builder.AddListeningPort(first.target(), InsecureServerCredentials());
  EXPECT_EQ(builder.BuildAndStart(), nullptr);
  SetLogHandler(nullptr);
  EXPECT_THAT(log, HasSubstr(first.target()));
  EchoServer other(free_name);
  EXPECT_TRUE(other.started()) << other.error();
  other.ShutDown();
  first.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
