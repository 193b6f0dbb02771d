// Who may call a server, whose server a client calls, and what either learns of
// the other.

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/access/users_linux.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kAcceptServer = absl::StrCat(kServerUser);

class Admission : public ::testing::Test {
 protected:
  void SetUp() override { SHMRPC_SKIP_IF_NOT_ROOT(); }
  Watchdog dog_{100, "calls between users"};
};

TEST_F(Admission, OtherUserIsRefusedByDefault) {
  UserServer server(kServerUser);
  UserClient own(server.target(), kServerUser);
  EXPECT_EQ(own.Do("call 100"), "OK");
  // However much it accepts itself.
  UserClient other(server.target(), kClientUser, {"*"});
  EXPECT_THAT(other.Do("call 100"),
              AllOf(StartsWith("14 "), HasSubstr("PERMISSION_DENIED"),
                    HasSubstr("shmrpc.srv." + server.name()),
                    HasSubstr("ServerBuilder::SetAccess")));
  own.End();
  other.End();
  server.ShutDown();
}

TEST_F(Admission, OfAllUsersTakesThem) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, {kAcceptServer});
  EXPECT_EQ(client.Do("call 100"), "OK");
  UserClient third(server.target(), kThirdUser, {kAcceptServer});
  EXPECT_EQ(third.Do("call 100"), "OK");
  // The server's own user needs to accept nobody.
  UserClient own(server.target(), kServerUser);
  EXPECT_EQ(own.Do("call 100"), "OK");
  client.End();
  third.End();
  own.End();
  server.ShutDown();
}

TEST_F(Admission, OfAGroupTakesItsMembersOnly) {
  UserServer server(kServerUser, "660", kSharedGroup);
  UserClient member(server.target(), kClientUser,
                    {kAcceptServer, kSharedGroup});
  EXPECT_EQ(member.Do("call 100"), "OK");
  UserClient other(server.target(), kThirdUser, {kAcceptServer});
  EXPECT_THAT(other.Do("call 100"), HasSubstr("PERMISSION_DENIED"));
  member.End();
  other.End();
  server.ShutDown();
}

TEST_F(Admission, ReadersWhoMayNotWriteAreRefused) {
  UserServer server(kServerUser, "644");
  UserClient other(server.target(), kThirdUser, {kAcceptServer});
  EXPECT_THAT(other.Do("call 100"), HasSubstr("PERMISSION_DENIED"));
  other.End();
  server.ShutDown();
}

TEST_F(Admission, GroupThatIsNotTheServersNoServer) {
  EchoServer server(UniqueName("access"), "user_server", {},
                    {absl::StrCat(kServerUser), "660",
                     absl::StrCat(kSharedGroup), "outside"});
  EXPECT_FALSE(server.started());
  EXPECT_THAT(server.error(), HasSubstr(absl::StrCat(
                                  "may not give it to group ", kSharedGroup)));
}

TEST_F(Admission, ServerOfAnotherUserIsRefusedUnlessAccepted) {
  UserServer server(kServerUser, "666");
  for (const std::string accepted : {"", "70003"}) {
    UserClient client(server.target(), kClientUser, {accepted});
    EXPECT_THAT(client.Do("call 100"),
                AllOf(HasSubstr("PERMISSION_DENIED"),
                      HasSubstr(absl::StrCat("belongs to user ", kServerUser)),
                      HasSubstr(SHMRPC_ARG_SERVER_USER)));
    client.End();
  }
  for (const std::string accepted : {"70001", "*"}) {
    UserClient client(server.target(), kClientUser, {accepted});
    EXPECT_EQ(client.Do("call 100"), "OK");
    client.End();
  }
  server.ShutDown();
}

// The same process keeps what it knows of servers; that must not be believed by
// a channel that accepts less.
TEST_F(Admission, WhatOneChannelAcceptsAnotherDoesNot) {
  UserServer server(kServerUser, "666");
  ChannelArguments arguments;
  arguments.SetString(SHMRPC_ARG_SERVER_USER, "*");
  const auto stub = EchoService::NewStub(CreateCustomChannel(
      server.target(), InsecureChannelCredentials(), arguments));
  ClientContext context;
  EchoReply reply;
  EXPECT_TRUE(stub->Echo(&context, SmallRequest(), &reply).ok());
  ExpectUnavailable(EchoClient(server.name()).Call(SmallRequest()),
                    {"PERMISSION_DENIED", SHMRPC_ARG_SERVER_USER});
  server.ShutDown();
}

TEST_F(Admission, RootsServerNeedsNoAcceptingAndRootsClientNoAdmission) {
  UserServer roots(0, "666");
  UserClient client(roots.target(), kClientUser);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  client.End();
  roots.ShutDown();

  UserServer users(kServerUser);
  UserClient root(users.target(), 0, {kAcceptServer});
  EXPECT_EQ(root.Do("call 3000000"), "OK");
  EXPECT_THAT(root.Do("whoami"), HasSubstr("user=0 "));
  root.End();
  users.ShutDown();
}

TEST_F(Admission, EachSeesWhoTheOtherIs) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, {kAcceptServer});
  EXPECT_THAT(client.Do("whoami"),
              AllOf(StartsWith(absl::StrCat("user=", kClientUser, " pid=",
                                            client.pid(), " start_time=")),
                    HasSubstr(" identity=user")));
  EXPECT_THAT(client.Do("whois"),
              StartsWith(absl::StrCat("user=", kServerUser,
                                      " pid=", server.pid(), " start_time=")));
  UserClient own(server.target(), kServerUser);
  EXPECT_THAT(own.Do("whoami"),
              StartsWith(absl::StrCat("user=", kServerUser, " pid=")));
  UserClient root(server.target(), 0, {kAcceptServer});
  EXPECT_THAT(root.Do("whoami"), StartsWith("user=0 user_name=root pid="));
  client.End();
  own.End();
  root.End();
  server.ShutDown();
}

TEST_F(Admission, ArgumentThatNamesNoUserFailsCallsSayingSo) {
  ChannelArguments arguments;
  arguments.SetString(SHMRPC_ARG_SERVER_USER, "nobody-of-this-name");
  const auto stub = EchoService::NewStub(
      CreateCustomChannel("shm:any", InsecureChannelCredentials(), arguments));
  ClientContext context;
  EchoReply reply;
  ExpectStatus(stub->Echo(&context, SmallRequest(), &reply),
               StatusCode::INVALID_ARGUMENT,
               {SHMRPC_ARG_SERVER_USER, "nobody-of-this-name"});
}

TEST_F(Admission, MessagesOfAllSizesAndStreamsCross) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, {kAcceptServer});
  for (const char* command : {"call 0", "call 100", "call 8000", "call 9000",
                              "call 1000000", "call 30000000", "stream 1000 10",
                              "stream 100 20000", "stream 10 3000000"}) {
    EXPECT_EQ(client.Do(command), "OK") << command;
  }
  client.End();
  server.ShutDown();
  // What the listener of main.cc finds left is a failure, too.
}

TEST_F(Admission, IdentityCannotBeWrittenByThoseAdmitted) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, {kAcceptServer});
  EXPECT_EQ(client.Do("call 1"), "OK");
  EXPECT_EQ(client.Do("meddle shmrpc.srv." + server.name()), "denied");
  client.End();
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
