// What is kept of a server is used while it stands, and not a moment longer.

#include "transport/link/entrance.h"

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;

Address NewAddress() {
  return {platform::Scope::kLocal, UniqueName("test.entrance")};
}

std::unique_ptr<Lobby> NewLobby(const Address& address) {
  auto lobby = Lobby::Create({address}, {});
  EXPECT_TRUE(lobby.ok()) << lobby.status();
  return lobby.ok() ? *std::move(lobby) : nullptr;
}

// Serves args[0] until its input ends.
SHMRPC_TEST_ROLE(server) {
  auto lobby = NewLobby({platform::Scope::kLocal, args.at(0)});
  if (lobby == nullptr) return 1;
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

TEST(Entrance, SameServerIsFoundAgain) {
  const Address address = NewAddress();
  auto lobby = NewLobby(address);
  auto first = Entrance::Find(address);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE((*first)->server().process == platform::CurrentProcess());
  auto second = Entrance::Find(address);
  ASSERT_TRUE(second.ok()) << second.status();
  // It is the server's page.
  lobby->slots()->slots[3].nonce[0] = 42;
  EXPECT_EQ((*second)->slots()->slots[3].nonce[0].load(), 42u);
}

TEST(Entrance, ServersAreToldApart) {
  // More than are kept.
  constexpr int kServers = 12;
  Address addresses[kServers];
  std::unique_ptr<Lobby> lobbies[kServers];
  for (int i = 0; i < kServers; ++i) {
    addresses[i] = NewAddress();
    lobbies[i] = NewLobby(addresses[i]);
    lobbies[i]->slots()->slots[0].nonce[0] = 100 + i;
  }
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kServers; ++i) {
      auto entrance = Entrance::Find(addresses[i]);
      ASSERT_TRUE(entrance.ok()) << entrance.status();
      EXPECT_EQ((*entrance)->slots()->slots[0].nonce[0].load(), 100u + i);
    }
  }
}

TEST(Entrance, ServerThatLeftIsNotFoundAndItsSuccessorIs) {
  const Address address = NewAddress();
  auto lobby = NewLobby(address);
  ASSERT_TRUE(Entrance::Find(address).ok());
  lobby.reset();
  EXPECT_EQ(Entrance::Find(address).status().code(),
            absl::StatusCode::kNotFound);
  lobby = NewLobby(address);
  lobby->slots()->slots[0].nonce[0] = 42;
  auto entrance = Entrance::Find(address);
  ASSERT_TRUE(entrance.ok()) << entrance.status();
  EXPECT_EQ((*entrance)->slots()->slots[0].nonce[0].load(), 42u);
}

TEST(Entrance, KilledServerIsNotFoundAndItsSuccessorIs) {
  const Address address = NewAddress();
  {
    Subprocess server = SpawnRole("server", {address.name});
    ASSERT_EQ(server.ReadLine(), "ready");
    auto entrance = Entrance::Find(address);
    ASSERT_TRUE(entrance.ok()) << entrance.status();
    EXPECT_EQ((*entrance)->server().process.pid, server.pid());
    server.Kill();
    server.Wait();
  }
  EXPECT_EQ(Entrance::Find(address).status().code(),
            absl::StatusCode::kNotFound);
  auto lobby = NewLobby(address);
  auto entrance = Entrance::Find(address);
  ASSERT_TRUE(entrance.ok()) << entrance.status();
  EXPECT_TRUE((*entrance)->server().process == platform::CurrentProcess());
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
