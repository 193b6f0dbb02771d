// Channels: what they say when there is nobody to call, that they connect again
// by themselves, and the several ways a server can be named.

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/pattern.h"
#include "tests/support/server_name.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kCannotConnect[] =
    "failed to connect to all addresses; last error: ";

Status CallOnce(const std::string& target) {
  auto stub =
      EchoService::NewStub(CreateChannel(target, InsecureChannelCredentials()));
  EchoReply reply;
  return Echo(stub.get(), EchoRequest(), &reply);
}

ServerSettings Named(std::vector<std::string> targets) {
  ServerSettings settings;
  settings.targets = std::move(targets);
  return settings;
}

TEST(Channel, WithoutServerIsUnavailable) {
  const std::string target = NewTarget();
  const Status status = CallOnce(target);
  EXPECT_EQ(status.error_code(), UNAVAILABLE);
  EXPECT_THAT(status.error_message(),
              AllOf(StartsWith(kCannotConnect), HasSubstr(target)));
}

TEST(Channel, WithoutServerIsUnavailableEachTime) {
  auto stub = EchoService::NewStub(NewChannel(NewTarget()));
  for (int i = 0; i < 100; ++i) {
    EchoReply reply;
    reply.set_text("untouched");
    EXPECT_EQ(Echo(stub.get(), EchoRequest(), &reply).error_code(),
              UNAVAILABLE);
    EXPECT_EQ(reply.text(), "untouched");
  }
}

TEST(Channel, BadTargetSaysSo) {
  for (const char* target : {"", "greeter", "shm:", "shm:a b", "dns:///x"}) {
    const Status status = CallOnce(target);
    EXPECT_EQ(status.error_code(), INVALID_ARGUMENT) << status;
    EXPECT_THAT(status.error_message(),
                HasSubstr(std::string("\"") + target + "\""));
  }
}

TEST(Channel, NullCredentialsAreInvalid) {
  ServerProcess server;
  auto stub = EchoService::NewStub(CreateChannel(server.target(), nullptr));
  for (int i = 0; i < 2; ++i) {
    EchoReply reply;
    EXPECT_TRUE(Is(Echo(stub.get(), EchoRequest(), &reply), INVALID_ARGUMENT,
                   "Invalid credentials."));
  }
}

TEST(Channel, ContextUsedTwiceSaysSo) {
  ServerProcess server;
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  ClientContext context;
  EchoReply reply;
  EXPECT_TRUE(IsOk(stub->Echo(&context, EchoRequest(), &reply)));
  const Status status = stub->Echo(&context, EchoRequest(), &reply);
  EXPECT_EQ(status.error_code(), INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("ClientContext"));
  EXPECT_TRUE(EchoesBack(stub.get(), "ok"));
}

TEST(Channel, CreatedBeforeItsServerWorks) {
  const std::string target = NewTarget();
  auto stub = EchoService::NewStub(NewChannel(target));
  EchoReply reply;
  EXPECT_EQ(Echo(stub.get(), EchoRequest(), &reply).error_code(), UNAVAILABLE);
  ServerProcess server(Named({target}));
  EXPECT_TRUE(EchoesBack(stub.get(), "now there"));
}

TEST(Channel, WorksAgainAfterServerRestarted) {
  const std::string target = NewTarget();
  auto stub = EchoService::NewStub(NewChannel(target));
  for (int i = 0; i < 5; ++i) {
    ServerProcess server(Named({target}));
    EchoReply reply;
    EXPECT_TRUE(IsOk(Echo(stub.get(), EchoRequest(), &reply)));
    EXPECT_EQ(reply.server_pid(), server.pid());
    EXPECT_TRUE(EchoesBack(stub.get(), Pattern(100000, i)));
  }
}

TEST(Channel, WorksAgainAfterServerWasKilled) {
  const std::string target = NewTarget();
  auto stub = EchoService::NewStub(NewChannel(target));
  for (int i = 0; i < 5; ++i) {
    ServerProcess server(Named({target}));
    // The news of a death may come after the next call began: that call is
    // lost, and says so.
    EchoReply reply;
    Status status = Echo(stub.get(), EchoRequest(), &reply);
    if (i > 0 && status.error_code() == UNAVAILABLE) {
      EXPECT_THAT(status.error_message(), Not(StartsWith(kCannotConnect)));
      status = Echo(stub.get(), EchoRequest(), &reply);
    }
    EXPECT_TRUE(IsOk(status));
    EXPECT_EQ(reply.server_pid(), server.pid());
    if (i < 4) server.Kill();  // the last one leaves nothing behind
  }
}

TEST(Channel, LeavesNoNameOfItsOwnObjects) {
  ServerProcess server;
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EXPECT_TRUE(EchoesBack(stub.get(), "connected"));
  EXPECT_TRUE(EchoesBack(stub.get(), Pattern(1 << 20, 1)));  // and segments
  for (const std::string& name : MappedNames()) {
    // The server's own may stay while it serves.
    EXPECT_THAT(name, Not(HasSubstr("shmrpc.conn."))) << "has still a name";
  }
}

TEST(Channel, GlobalNameIsAnotherName) {
  const std::string target = NewGlobalTarget();
  const std::string local =
      "shm:" + target.substr(std::string("shm:global/").size());
  ServerProcess global_server(Named({target}));
  EXPECT_EQ(CallOnce(local).error_code(), UNAVAILABLE);
  ServerProcess local_server(Named({local}));
  EchoReply reply;
  auto stub = EchoService::NewStub(NewChannel(target));
  EXPECT_TRUE(IsOk(Echo(stub.get(), EchoRequest(), &reply)));
  EXPECT_EQ(reply.server_pid(), global_server.pid());
  stub = EchoService::NewStub(NewChannel(local));
  EXPECT_TRUE(IsOk(Echo(stub.get(), EchoRequest(), &reply)));
  EXPECT_EQ(reply.server_pid(), local_server.pid());
  EXPECT_TRUE(EchoesBack(stub.get(), Pattern(300000, 1)));
}

TEST(Channel, GlobalNameCarriesLargePayloads) {
  ServerProcess server(Named({NewGlobalTarget()}));
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EXPECT_TRUE(EchoesBack(stub.get(), Pattern(5000000, 1)));
}

TEST(Channel, BothNamesOfOneServerLeadToIt) {
  ServerProcess server(Named({NewTarget(), NewGlobalTarget(), NewTarget()}));
  for (size_t i = 0; i < 3; ++i) {
    auto stub = EchoService::NewStub(NewChannel(server.target(i)));
    EchoReply reply;
    EXPECT_TRUE(IsOk(Echo(stub.get(), EchoRequest(), &reply)));
    EXPECT_EQ(reply.server_pid(), server.pid());
    EXPECT_TRUE(EchoesBack(stub.get(), Pattern(100000, i)));
  }
}

TEST(Channel, ManyToOneServerWork) {
  ServerProcess server;
  std::vector<std::unique_ptr<EchoService::Stub>> stubs;
  for (int i = 0; i < 100; ++i) {
    stubs.push_back(EchoService::NewStub(NewChannel(server.target())));
    ASSERT_TRUE(EchoesBack(stubs.back().get(), Pattern(100, i)));
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(EchoesBack(stubs[i].get(), Pattern(200, i)));
  }
}

TEST(Channel, OpenedAndClosedManyTimesWorks) {
  ServerProcess server;
  for (int i = 0; i < 300; ++i) {
    auto stub = EchoService::NewStub(NewChannel(server.target()));
    ASSERT_TRUE(EchoesBack(stub.get(), Pattern(i * 100, i)));
  }
}

TEST(Channel, StubsShareItAndOutliveIt) {
  ServerProcess server;
  std::unique_ptr<EchoService::Stub> echo;
  std::unique_ptr<Probe::Stub> probe;
  {
    auto channel = NewChannel(server.target());
    echo = EchoService::NewStub(channel);
    probe = Probe::NewStub(channel);
  }
  EXPECT_TRUE(EchoesBack(echo.get(), "one"));
  OpenGate(probe.get(), "two");
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
