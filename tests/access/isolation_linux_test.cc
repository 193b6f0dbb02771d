// Users whom a server admits try what they are not to have: other clients'
// connections, other users' names, the acceptor's time.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/access/users_linux.h"
#include "transport/link/accept.h"
#include "transport/link/address.h"
#include "transport/link/connect.h"
#include "transport/link/connection.h"
#include "transport/link/connection_object.h"
#include "transport/link/entrance.h"
#include "transport/link/lobby.h"
#include "transport/memory/layout.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const UserClient::Options kAcceptServer = {absl::StrCat(kServerUser)};

class Isolation : public ::testing::Test {
 protected:
  void SetUp() override { SHMRPC_SKIP_IF_NOT_ROOT(); }
  Watchdog dog_{100, "users who try what they may not"};
};

TEST_F(Isolation, ThirdUserCannotOpenAnothersConnectionOrSegments) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  EXPECT_EQ(client.Do("hold 3000000"), "OK");
  server.AwaitCalls(2);
  // The connection, and at least one segment of each side.
  EXPECT_GE(Leftovers("shmrpc.conn.").size(), 3u);
  UserClient third(server.target(), kThirdUser, kAcceptServer);
  EXPECT_THAT(third.Do("intrude"),
              absl::StrCat("denied ", Leftovers("shmrpc.conn.").size()));
  // It is admitted all the same.
  EXPECT_EQ(third.Do("call 100"), "OK");
  third.End();
  client.Kill();
  server.Kill();
  ExpectNextServerReclaims();
}

TEST_F(Isolation, ServersOwnUsersConnectionsStayItsOwn) {
  UserServer server(kServerUser, "666");
  UserClient own(server.target(), kServerUser);
  EXPECT_EQ(own.Do("call 3000000"), "OK");
  EXPECT_EQ(own.Do("hold 3000000"), "OK");
  server.AwaitCalls(2);
  UserClient third(server.target(), kThirdUser, kAcceptServer);
  EXPECT_THAT(third.Do("intrude"),
              absl::StrCat("denied ", Leftovers("shmrpc.conn.").size()));
  third.End();
  own.Kill();
  server.Kill();
  ExpectNextServerReclaims();
}

// Everything that can be known of a segment before it is there.
TEST_F(Isolation, SegmentsNamesCannotBeTakenBeforehand) {
  UserServer server(kServerUser, "666");
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 100"), "OK");
  const std::vector<std::string> connection = Leftovers("shmrpc.conn.");
  ASSERT_EQ(connection.size(), 1u);
  UserClient third(server.target(), kThirdUser, kAcceptServer);
  EXPECT_EQ(third.Do("squat"), "took 4");
  EXPECT_EQ(client.Do("call 3000000"), "OK");
  // On the same connection: the call would go on with another one.
  EXPECT_THAT(Leftovers("shmrpc.conn."), Contains(connection[0]));
  third.End();
  client.End();
  server.ShutDown();
}

// --- knocks made by hand, as an admitted user

// What a client does up to the offer. `other_owner`: of the server.
class Knocker {
 public:
  explicit Knocker(const std::string& target)
      : entrance_(*link::Entrance::Find(*link::ParseAddress(target), "*")) {}

  void Ring(const link::Nonce& nonce) {
    memory::LobbySlots* slots = entrance_->slots();
    memory::AcceptSlot& slot = slots->slots[memory::kSlotCount - 1];
    slot.nonce[0] = nonce.high;
    slot.nonce[1] = nonce.low;
    slot.state =
        uint64_t{platform::CurrentProcess().pid} << 32 | memory::kSlotOffered;
    entrance_->accept_event()->Signal();
  }
  // With rings if `shape` has some; open to the server's user.
  link::Nonce Make(link::ConnectionShape shape) {
    const link::Nonce nonce = link::Nonce::Random();
    shape.slots_nonce = entrance_->server().slots_nonce;
    platform::AccessPolicy access;
    access.user = entrance_->server().user;
    object_ = *link::CreateConnectionObject(
        link::ConnectionName(platform::Scope::kLocal, nonce), shape, access);
    return nonce;
  }
  std::string AwaitAnswer() {
    auto* page = object_.page();
    platform::Waiter waiter;
    while (page->hello.state == memory::kHelloPending) {
      waiter.Wait(&object_.client_event, platform::kNever);
    }
    return absl::StrCat(page->hello.state.load(), " ", page->hello.refusal);
  }
  link::ConnectionObject& object() { return object_; }

 private:
  const link::Entrance::Ptr entrance_;
  link::ConnectionObject object_;
};

// Arguments: target, user, what. Lines: the knock's name, the answer.
SHMRPC_TEST_ROLE(knocker) {
  if (!Become(static_cast<uid_t>(std::atoi(args.at(1).c_str())), 0)) return 1;
  Knocker knocker(args.at(0));
  link::ConnectionShape shape;
  shape.client = platform::CurrentProcess();
  shape.ring_size_bytes = 0;
  const std::string& what = args.at(2);
  if (what == "another's pid" || what == "another's pid without a lock") {
    // Its parent, which lives, and is another user's.
    shape.client = *platform::ProcessWithPid(static_cast<uint32_t>(getppid()));
  }
  if (what == "rings of its own")
    shape.ring_size_bytes = memory::kRingSizeBytes;
  const link::Nonce nonce = knocker.Make(shape);
  if (what == "another's pid without a lock") {
    struct flock creator = {};
    creator.l_type = F_UNLCK;
    creator.l_start = 1;
    creator.l_len = 1;
    fcntl(knocker.object().mapping.descriptor(), F_SETLK, &creator);
  }
  SendLine(knocker.object().name.name);
  if (what == "lease") {
    // Whoever opens the file is kept waiting until this process gives in.
    const std::string path = "/dev/shm/" + knocker.object().name.name;
    // Nobody else may have it open, so the descriptor of ours goes first.
    knocker.object() = {};
    umask(0);
    const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) != 0) {
      SendLine(absl::StrCat("no lease: errno ", errno));
    } else {
      SendLine("leased");
    }
    signal(SIGIO, SIG_IGN);  // what asks to give it up
    knocker.Ring(nonce);
    std::string line;
    ReceiveLine(&line);
    unlink(path.c_str());
    return 0;
  }
  knocker.Ring(nonce);
  SendLine(knocker.AwaitAnswer());
  if (what == "twice") {
    knocker.Ring(nonce);
    std::string line;
    ReceiveLine(&line);
  }
  return 0;
}

Subprocess SpawnKnocker(const std::string& target, const std::string& what) {
  return SpawnRole("knocker", {target, absl::StrCat(kClientUser), what});
}

TEST_F(Isolation, ClientThatClaimsAnothersPidIsRefused) {
  UserServer server(kServerUser, "666");
  Subprocess liar = SpawnKnocker(server.target(), "another's pid");
  const std::string name = liar.ReadLine().value_or("?");
  EXPECT_EQ(liar.ReadLine(), absl::StrCat(memory::kHelloRefused, " ",
                                          memory::kRefusedPidNamespace));
  EXPECT_THAT(server.AwaitLog(name),
              AllOf(HasSubstr("it says its pid is"),
                    HasSubstr(absl::StrCat("the system says ", liar.pid()))));
  EXPECT_TRUE(liar.Wait().ok());
  server.ShutDown();
}

TEST_F(Isolation, ClientWhosePidNobodyVouchesForIsRefused) {
  UserServer server(kServerUser, "666");
  Subprocess liar =
      SpawnKnocker(server.target(), "another's pid without a lock");
  const std::string name = liar.ReadLine().value_or("?");
  EXPECT_EQ(liar.ReadLine(),
            absl::StrCat(memory::kHelloRefused, " ", memory::kRefusedIdentity));
  EXPECT_THAT(server.AwaitLog(name), HasSubstr("nobody vouches for its pid"));
  EXPECT_TRUE(liar.Wait().ok());
  server.ShutDown();
}

TEST_F(Isolation, ClientThatBringsItsOwnRingsIsRefused) {
  UserServer server(kServerUser, "666");
  Subprocess liar = SpawnKnocker(server.target(), "rings of its own");
  const std::string name = liar.ReadLine().value_or("?");
  EXPECT_EQ(liar.ReadLine(),
            absl::StrCat(memory::kHelloRefused, " ", memory::kRefusedIdentity));
  EXPECT_THAT(server.AwaitLog(name), HasSubstr("has to knock"));
  EXPECT_TRUE(liar.Wait().ok());
  server.ShutDown();
}

TEST_F(Isolation, KnockOfferedTwiceIsAnsweredOnce) {
  UserServer server(kServerUser, "666");
  Subprocess knocker = SpawnKnocker(server.target(), "twice");
  const std::string name = knocker.ReadLine().value_or("?");
  EXPECT_EQ(knocker.ReadLine(), absl::StrCat(memory::kHelloAccepted, " 0"));
  EXPECT_THAT(server.AwaitLog(name), HasSubstr("offered once more"));
  // One connection was made, and goes when its client does.
  EXPECT_EQ(ObjectsOf(kServerUser).size(), 3u);
  knocker.CloseStdin();
  EXPECT_TRUE(knocker.Wait().ok());
  server.ShutDown();
}

TEST_F(Isolation, LeaseOnAKnockDoesNotStallTheServer) {
  UserServer server(kServerUser, "666");
  Subprocess holder = SpawnKnocker(server.target(), "lease");
  const std::string name = holder.ReadLine().value_or("?");
  ASSERT_EQ(holder.ReadLine(), "leased");
  // An open that waits for the lease takes /proc/sys/fs/lease-break-time, 45 s.
  Watchdog dog(30, "a server that a lease keeps waiting");
  EXPECT_THAT(server.AwaitLog(name), HasSubstr("EAGAIN"));
  UserClient client(server.target(), kThirdUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 100"), "OK");
  client.End();
  holder.CloseStdin();
  EXPECT_TRUE(holder.Wait().ok());
  server.ShutDown();
}

// --- a connection object that somebody else than the server made

// A lobby whose server answers a knock with a connection that another user has
// made. Arguments: target. Lines: "ready"; the nonce as two numbers, which it
// reads.
SHMRPC_TEST_ROLE(misleading_server) {
  if (!Become(kServerUser, 0)) return 1;
  platform::AccessPolicy access;
  access.mode = 0666;
  auto lobby = link::Lobby::Create({*link::ParseAddress(args.at(0))}, access);
  if (!lobby.ok()) return 1;
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  unsigned long long high = 0;
  unsigned long long low = 0;
  std::sscanf(line.c_str(), "%llu %llu", &high, &low);
  platform::Waiter waiter;
  memory::AcceptSlot* offered = nullptr;
  while (offered == nullptr) {
    waiter.Wait((*lobby)->accept_event(), platform::kNever);
    for (memory::AcceptSlot& slot : (*lobby)->slots()->slots) {
      if (static_cast<uint32_t>(slot.state) == memory::kSlotOffered) {
        offered = &slot;
      }
    }
  }
  auto knock = link::OpenConnectionObject(
      link::ConnectionName(platform::Scope::kLocal,
                           {offered->nonce[0], offered->nonce[1]}),
      "*");
  if (!knock.ok()) return 2;
  auto* page = knock->page();
  page->hello.connection_nonce[0] = high;
  page->hello.connection_nonce[1] = low;
  page->hello.state = memory::kHelloAccepted;
  knock->client_event.Signal();
  ReceiveLine(&line);
  return 0;
}

// Makes a connection object open to everybody. Line: its nonce.
SHMRPC_TEST_ROLE(squatter) {
  if (!Become(kThirdUser, 0)) return 1;
  const link::Nonce nonce = link::Nonce::Random();
  platform::AccessPolicy access;
  access.mode = 0666;
  link::ConnectionShape shape;
  shape.client = platform::CurrentProcess();
  auto object = link::CreateConnectionObject(
      link::ConnectionName(platform::Scope::kLocal, nonce), shape, access);
  if (!object.ok()) return 1;
  SendLine(absl::StrCat(nonce.high, " ", nonce.low));
  std::string line;
  ReceiveLine(&line);
  return 0;
}

TEST_F(Isolation, ConnectionThatIsNotTheServersClientRefuses) {
  const std::string target = "shm:" + UniqueName("access");
  Subprocess squatter = SpawnRole("squatter");
  Subprocess server = SpawnRole("misleading_server", {target});
  ASSERT_EQ(server.ReadLine(), "ready");
  ASSERT_TRUE(server.WriteLine(squatter.ReadLine().value_or("")));
  UserClient client(target, kClientUser, kAcceptServer);
  EXPECT_THAT(client.Do("call 1"),
              AllOf(HasSubstr("PERMISSION_DENIED"),
                    HasSubstr(absl::StrCat("belongs to user ", kThirdUser))));
  client.End();
  server.CloseStdin();
  EXPECT_TRUE(server.Wait().ok());
  squatter.CloseStdin();
  EXPECT_TRUE(squatter.Wait().ok());
}

// --- what a connection says of its peer

std::string Describe(const link::Connection& connection) {
  return absl::StrCat(connection.peer_user(),
                      connection.peer_trusted() ? " trusted" : " not trusted",
                      connection.copy_before_parse() ? ", copied" : "");
}

// Arguments: target. Lines: "ready"; then each client's connection.
SHMRPC_TEST_ROLE(describing_server) {
  if (!Become(kServerUser, 0)) return 1;
  platform::AccessPolicy access;
  access.mode = 0666;
  auto lobby = link::Lobby::Create({*link::ParseAddress(args.at(0))}, access);
  if (!lobby.ok()) return 1;
  std::vector<link::Acceptor::Accepted> connections;
  link::Acceptor acceptor(lobby->get(), [&](link::Acceptor::Accepted accepted) {
    if (accepted.connection == nullptr) return absl::OkStatus();
    SendLine(Describe(*accepted.connection));
    connections.push_back(std::move(accepted));
    return absl::OkStatus();
  });
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Arguments: target, user. Line: its connection.
SHMRPC_TEST_ROLE(describing_client) {
  if (!Become(static_cast<uid_t>(std::atoi(args.at(1).c_str())), 0)) return 1;
  link::ConnectOptions options;
  options.server_user = absl::StrCat(kServerUser);
  auto link = link::Connect(*link::ParseAddress(args.at(0)), options);
  SendLine(link.ok() ? Describe(*link->connection) : link.status().ToString());
  return 0;
}

TEST_F(Isolation, ConnectionsOfOtherUsersAreMarkedToBeCopied) {
  const std::string target = "shm:" + UniqueName("access");
  Subprocess server = SpawnRole("describing_server", {target});
  ASSERT_EQ(server.ReadLine(), "ready");
  struct {
    uid_t user;
    const char* mark;
  } const cases[] = {{kServerUser, " trusted"},
                     {kClientUser, " not trusted, copied"},
                     {0, " not trusted, copied"}};
  for (const auto& c : cases) {
    Subprocess client =
        SpawnRole("describing_client", {target, absl::StrCat(c.user)});
    EXPECT_EQ(client.ReadLine(), absl::StrCat(kServerUser, c.mark));
    EXPECT_EQ(server.ReadLine(), absl::StrCat(c.user, c.mark));
    EXPECT_TRUE(client.Wait().ok());
  }
  server.CloseStdin();
  EXPECT_TRUE(server.Wait().ok());
}

// Locks args[0] for reading, all of it, once it is told to.
SHMRPC_TEST_ROLE(reader) {
  if (!Become(kThirdUser, 0)) return 1;
  const int fd = open(args.at(0).c_str(), O_RDONLY | O_CLOEXEC);
  SendLine("opened");
  std::string line;
  ReceiveLine(&line);
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  SendLine(fcntl(fd, F_SETLK, &lock) == 0 ? "locked" : "not locked");
  ReceiveLine(&line);
  return 0;
}

TEST_F(Isolation, ReaderWhoLocksADeadServersIdentityIsNotItsServer) {
  UserServer server(kServerUser, "666");
  Subprocess reader =
      SpawnRole("reader", {"/dev/shm/shmrpc.srv." + server.name()});
  ASSERT_EQ(reader.ReadLine(), "opened");
  UserClient client(server.target(), kClientUser, kAcceptServer);
  EXPECT_EQ(client.Do("call 1"), "OK");
  server.Kill();
  reader.WriteLine("lock it");
  ASSERT_EQ(reader.ReadLine(), "locked");
  // By its connection's end, by what it kept of the server, or by looking anew.
  EXPECT_THAT(client.Do("call 1"),
              ::testing::AnyOf(HasSubstr("died during the connection"),
                               HasSubstr("ended")));
  // Who knew nothing of that server looks at who holds the lock.
  UserClient newcomer(server.target(), kClientUser, kAcceptServer);
  EXPECT_THAT(newcomer.Do("call 1"), HasSubstr("has ended"));
  newcomer.End();
  reader.CloseStdin();
  EXPECT_TRUE(reader.Wait().ok());
  EXPECT_THAT(client.Do("call 1"), HasSubstr("no server is listening"));
  client.End();
  ExpectNextServerReclaims();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
