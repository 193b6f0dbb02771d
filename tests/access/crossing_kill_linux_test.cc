// A server and a client of two users, and one of them is killed: the other goes
// on, and what the dead one left is found and freed by whoever may.

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/access/users_linux.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const UserClient::Options kAcceptServer = {absl::StrCat(kServerUser)};

class CrossingKill : public ::testing::Test {
 protected:
  void SetUp() override { SHMRPC_SKIP_IF_NOT_ROOT(); }
  Watchdog dog_{100, "kills between users"};
};

TEST_F(CrossingKill, OfTheClientFreesAllAndTheNextOneOfItsUserReclaims) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  EXPECT_EQ(client.Do("hold 3000000"), "OK");
  server.AwaitCalls(2);
  // A segment of the client's, whose name only it (or root) may remove.
  const std::vector<std::string> before = ObjectsOf(kClientUser);
  EXPECT_THAT(before, Contains(HasSubstr(".c")));
  client.Kill();
  // The handler ends, and with it the connection that the server had made.
  UserClient other(server.target(), kThirdUser, kAcceptServer);
  EXPECT_EQ(other.Do("call 3000000"), "OK");
  EXPECT_EQ(ObjectsOf(kClientUser), before);
  UserClient next(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(next.Do("call 1"), "OK");
  for (const std::string& name : before) {
    EXPECT_THAT(ObjectsOf(kClientUser), Not(Contains(name)));
  }
  next.End();
  other.End();
  EXPECT_THAT(ObjectsOf(kClientUser), IsEmpty());
  EXPECT_THAT(ObjectsOf(kThirdUser), IsEmpty());
  server.ShutDown();
  EXPECT_THAT(ObjectsOf(kServerUser), IsEmpty());
}

TEST_F(CrossingKill, OfTheServerEndsCallsAndTheNextOneReclaims) {
  const std::string name = UniqueName("access");
  UserServer server(kServerUser, "666", 0, name);
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  EXPECT_EQ(client.Do("hold 3000000"), "OK");
  server.AwaitCalls(2);
  const std::vector<std::string> before = ObjectsOf(kServerUser);
  EXPECT_THAT(before, Contains(HasSubstr(".s")));
  server.Kill();
  EXPECT_THAT(client.Do("held"), AllOf(StartsWith("14 "), HasSubstr("ended")));
  EXPECT_THAT(client.Do("call 1"),
              AllOf(StartsWith("14 "), HasSubstr("no server is listening")));
  UserServer again(kServerUser, "666", 0, name);
  for (const std::string& object : before) {
    if (object == "shmrpc.srv." + name) continue;  // it has one, too
    EXPECT_THAT(ObjectsOf(kServerUser), Not(Contains(object)));
  }
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  client.End();
  EXPECT_THAT(ObjectsOf(kClientUser), IsEmpty());
  again.ShutDown();
  EXPECT_THAT(ObjectsOf(kServerUser), IsEmpty());
}

TEST_F(CrossingKill, OfBothRootsNextServerReclaims) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("hold 3000000"), "OK");
  server.AwaitCalls(1);
  server.Kill();
  client.Kill();
  EXPECT_THAT(ObjectsOf(kServerUser), Not(IsEmpty()));
  EXPECT_THAT(ObjectsOf(kClientUser), Not(IsEmpty()));
  ExpectNextServerReclaims();
}

TEST_F(CrossingKill, WhatLivesIsNotReclaimedByRoot) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  const std::vector<std::string> before = Leftovers("shmrpc.");
  EchoServer roots(UniqueName("access"));
  for (const std::string& name : before) {
    EXPECT_THAT(Leftovers("shmrpc."), Contains(name));
  }
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  roots.ShutDown();
  client.End();
  server.ShutDown();
}

TEST_F(CrossingKill, OfAServerThatClosesInPeaceClientReconnects) {
  const std::string name = UniqueName("access");
  UserServer server(kServerUser, "666", 0, name);
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  server.ShutDown();
  EXPECT_THAT(ObjectsOf(kServerUser), IsEmpty());
  UserServer again(kServerUser, "666", 0, name);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  client.End();
  again.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
