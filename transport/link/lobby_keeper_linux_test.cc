// Truncation (Linux), while nobody touches the lobby.

#include <unistd.h>

#include <memory>

#include "gtest/gtest.h"
#include "transport/link/entrance.h"
#include "transport/link/lobby_keeper.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

TEST(KeeperLinux, SleeperLearnsOfEachTruncationAndNamesStay) {
  Watchdog dog(60, "a lobby truncated while its keeper sleeps");
  const Address address{platform::Scope::kLocal, UniqueName("test.keeper")};
  auto lobby = Lobby::Create({address}, {}).value();
  const ServerIdentity before = ReadIdentity(address).value();
  platform::Waiter waiter;
  LobbyKeeper keeper(lobby.get(), &waiter);
  const std::string identity = address.IdentityName().OsName();
  const std::string slots =
      SlotsName(before.slots_scope, before.slots_nonce).OsName();
  const auto entrance = Entrance::Find(address);
  ASSERT_TRUE(entrance.ok()) << entrance.status();
  for (const std::string& path : {identity, slots, identity, slots}) {
    ASSERT_EQ(truncate(path.c_str(), 0), 0);
    // Until then who comes is told to come again, and nobody gets the name.
    if (path == identity) {
      EXPECT_EQ(ReadIdentity(address).status().code(),
                absl::StatusCode::kAborted);
      EXPECT_EQ(platform::NamedMapping::Create(address.IdentityName(), 4096, {})
                    .status()
                    .code(),
                absl::StatusCode::kAlreadyExists);
    } else {
      EXPECT_FALSE((*entrance)->Restore());
    }
    do {
      // The event would say nothing: nobody rings it.
      waiter.Wait(lobby->accept_event(), keeper.look_ns());
    } while (!keeper.Look());
    const auto after = ReadIdentity(address);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_TRUE(after->process == before.process);
    EXPECT_EQ(after->slots_nonce.ToString(), before.slots_nonce.ToString());
    EXPECT_TRUE((*entrance)->Restore());
  }
  EXPECT_FALSE(keeper.Look());
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
