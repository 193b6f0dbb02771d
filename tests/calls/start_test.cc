// Servers that do not start, and say why.

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/echo_service.h"
#include "tests/support/log_capture.h"
#include "tests/support/probe_service.h"
#include "tests/support/server_name.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Expects that it does not start and returns what was logged.
std::string WhyNot(ServerBuilder* builder) {
  LogCapture log;
  EXPECT_EQ(builder->BuildAndStart(), nullptr);
  return log.Text();
}

TEST(BuildAndStart, WithoutPortIsNull) {
  EchoServiceImpl echo;
  ServerBuilder builder;
  builder.RegisterService(&echo);
  EXPECT_THAT(WhyNot(&builder),
              AllOf(HasSubstr("no port"), HasSubstr("AddListeningPort")));
}

TEST(BuildAndStart, BadAddressIsNull) {
  const std::string bad[] = {"",
                             "greeter",
                             "shm:",
                             "shm:global/",
                             "shm:a b",
                             "shm:.hidden",
                             "shm:a/b",
                             "shm:../../etc",
                             "unix:greeter",
                             "shm:" + std::string(65, 'x'),
                             std::string("shm:nul\0inside", 14)};
  for (const std::string& address : bad) {
    EchoServiceImpl echo;
    ServerBuilder builder;
    int port = 7;
    builder.AddListeningPort(address, InsecureServerCredentials(), &port);
    builder.RegisterService(&echo);
    EXPECT_THAT(WhyNot(&builder), HasSubstr("\"" + address + "\"")) << address;
    EXPECT_EQ(port, 7);
  }
}

TEST(BuildAndStart, NullCredentialsAreNull) {
  const std::string target = NewTarget();
  ServerBuilder builder;
  builder.AddListeningPort(target, nullptr);
  EXPECT_THAT(WhyNot(&builder),
              AllOf(HasSubstr(target), HasSubstr("credentials")));
}

TEST(BuildAndStart, AddressInUseByAnotherProcessIsNull) {
  ServerProcess holder;
  EchoServiceImpl echo;
  ServerBuilder builder;
  builder.AddListeningPort(holder.target(), InsecureServerCredentials());
  builder.RegisterService(&echo);
  EXPECT_THAT(WhyNot(&builder),
              AllOf(HasSubstr(holder.target()), HasSubstr("already in use"),
                    HasSubstr(std::to_string(holder.pid()))));
  // And the holder did not notice.
  auto stub = EchoService::NewStub(NewChannel(holder.target()));
  EXPECT_TRUE(EchoesBack(stub.get(), "mine"));
}

TEST(BuildAndStart, AddressInUseByThisProcessIsNull) {
  const std::string target = NewTarget();
  EchoServiceImpl echo;
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(&echo);
  std::unique_ptr<Server> first = builder.BuildAndStart();
  ASSERT_NE(first, nullptr);
  EXPECT_THAT(WhyNot(&builder),
              AllOf(HasSubstr(target), HasSubstr("already in use")));
}

TEST(BuildAndStart, SameAddressTwiceIsNull) {
  const std::string target = NewTarget();
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.AddListeningPort(target, InsecureServerCredentials());
  EXPECT_THAT(WhyNot(&builder),
              AllOf(HasSubstr(target), HasSubstr("already in use")));
}

TEST(BuildAndStart, OneOfSeveralAddressesInUseFreesTheOthers) {
  ServerProcess holder;
  const std::string free_target = NewTarget();
  EchoServiceImpl echo;
  {
    ServerBuilder builder;
    int ports[2] = {7, 7};
    builder.AddListeningPort(free_target, InsecureServerCredentials(),
                             &ports[0]);
    builder.AddListeningPort(holder.target(), InsecureServerCredentials(),
                             &ports[1]);
    builder.RegisterService(&echo);
    EXPECT_THAT(WhyNot(&builder), HasSubstr("already in use"));
    EXPECT_EQ(ports[0], 7);
    EXPECT_EQ(ports[1], 7);
  }
  ServerBuilder builder;
  int port = 7;
  builder.AddListeningPort(free_target, InsecureServerCredentials(), &port);
  builder.RegisterService(&echo);
  EXPECT_NE(builder.BuildAndStart(), nullptr);
  EXPECT_EQ(port, 1);
}

TEST(BuildAndStart, ServiceTwiceIsNull) {
  const std::string target = NewTarget();
  EchoServiceImpl first, second;
  for (EchoServiceImpl* other : {&first, &second}) {
    ServerBuilder builder;
    builder.AddListeningPort(target, InsecureServerCredentials());
    builder.RegisterService(&first).RegisterService(other);
    EXPECT_THAT(WhyNot(&builder), AllOf(HasSubstr("shmrpc.testing.EchoService"),
                                        HasSubstr("registered twice")));
  }
}

TEST(BuildAndStart, NullServiceIsNull) {
  ServerBuilder builder;
  builder.AddListeningPort(NewTarget(), InsecureServerCredentials());
  builder.RegisterService(nullptr);
  EXPECT_THAT(WhyNot(&builder), HasSubstr("null service"));
}

TEST(BuildAndStart, AfterFailureWithAnotherAddressWorks) {
  EchoServiceImpl echo;
  {
    ServerBuilder builder;
    builder.AddListeningPort("nonsense", InsecureServerCredentials());
    builder.RegisterService(&echo);
    WhyNot(&builder);
  }
  ServerBuilder builder;
  builder.AddListeningPort(NewTarget(), InsecureServerCredentials());
  builder.RegisterService(&echo);
  EXPECT_NE(builder.BuildAndStart(), nullptr);
}

TEST(BuildAndStart, WithoutServiceAnswersUnimplemented) {
  const std::string target = NewTarget();
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  auto stub = EchoService::NewStub(NewChannel(target));
  EchoReply reply;
  EXPECT_TRUE(Is(Echo(stub.get(), EchoRequest(), &reply), UNIMPLEMENTED, ""));
}

TEST(BuildAndStart, LongestNameWorks) {
  std::string target = NewTarget();
  target.resize(4 + 64, 'x');
  ServerSettings settings;
  settings.targets = {target};
  ServerProcess server(settings);
  auto stub = EchoService::NewStub(NewChannel(target));
  EXPECT_TRUE(EchoesBack(stub.get(), "long name"));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
