// A lobby that somebody spoils is usable again, soon and not too often.

#include "transport/link/lobby_keeper.h"

#include <atomic>
#include <memory>

#include "gtest/gtest.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

class Keeper : public ::testing::Test {
 protected:
  Keeper()
      : lobby_(Lobby::Create({address_}, {}).value()),
        keeper_(lobby_.get(), &waiter_) {}

  void BreakSlots() {
    const auto server = ReadIdentity(address_);
    ASSERT_TRUE(server.ok()) << server.status();
    MakeViewFault(SlotsName(server->slots_scope, server->slots_nonce),
                  lobby_->slots_view());
  }
  // False: the memory is gone.
  bool Touch() {
    return platform::Guarded(lobby_->slots_view(), [&] {
      lobby_->slots()->slots[0].nonce[0].store(1, std::memory_order_relaxed);
    });
  }
  // As the acceptor does once it has been woken, until the lobby has been made
  // good.
  void SleepUntilMadeGood() {
    while (!keeper_.Look()) {
      waiter_.Wait(keeper_.usable() ? lobby_->accept_event() : nullptr,
                   keeper_.look_ns());
    }
  }

  Watchdog dog_{60, "a lobby to be made good"};
  const Address address_{platform::Scope::kLocal, UniqueName("test.keeper")};
  std::unique_ptr<Lobby> lobby_;
  platform::Waiter waiter_;
  LobbyKeeper keeper_;
};

TEST_F(Keeper, LobbyThatIsWholeIsLeftAlone) {
  EXPECT_FALSE(keeper_.Look());
  EXPECT_TRUE(keeper_.usable());
  EXPECT_EQ(keeper_.look_ns(), platform::kNever);
}

TEST_F(Keeper, SlotsThatFaultedAreUsableAgain) {
  for (int i = 0; i < 3; ++i) {
    BreakSlots();
    EXPECT_FALSE(Touch());
    SleepUntilMadeGood();
    EXPECT_TRUE(keeper_.usable());
    EXPECT_TRUE(Touch());
    EXPECT_EQ(lobby_->slots()->magic.load(), memory::kLobbyMagic);
  }
}

TEST_F(Keeper, SlotsSpoiltWithoutEndAreMadeGoodTenTimesASecond) {
  const int64_t start_ns = platform::MonotonicNowNs();
  for (int i = 0; i < 4; ++i) {
    BreakSlots();
    Touch();
    SleepUntilMadeGood();
  }
  EXPECT_GE(platform::MonotonicNowNs() - start_ns, 3 * LobbyKeeper::kPauseNs);
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
