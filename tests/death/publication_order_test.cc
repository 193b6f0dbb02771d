// In which order the handshake stores what others read: what a word publishes
// stands there before it does. Each list below is what one thread stores, in
// turn, as the store points tell; tests/style sees to it that each of these
// follows its store.
//
// Who looks between two stores that are the wrong way round is hardly ever
// there, so that nothing but this notices.

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/link/accept.h"
#include "transport/link/client_quotas.h"
#include "transport/link/connect.h"
#include "transport/link/lobby.h"
#include "transport/memory/layout.h"
#include "transport/platform/mapping.h"
#include "transport/platform/store_point.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

using Names = std::vector<std::string>;

// What is published while a lobby is made or a client connects. Not events:
// when somebody rings depends on who sleeps.
bool IsOfHandshake(const std::string& name) {
  for (const char* group :
       {"slots.", "identity.", "header.", "slot.", "hello."}) {
    if (absl::StartsWith(name, group)) return true;
  }
  return false;
}

// By thread. A std::mutex: nobody who stores has it.
std::mutex mutex;
std::map<std::thread::id, Names>& Stores() {
  static auto* const stores = new std::map<std::thread::id, Names>;
  return *stores;
}

void Note(const char* name) {
  if (!IsOfHandshake(name)) return;
  std::lock_guard<std::mutex> lock(mutex);
  Stores()[std::this_thread::get_id()].push_back(name);
}

// Since the last time.
Names TakeOwn() {
  std::lock_guard<std::mutex> lock(mutex);
  return std::exchange(Stores()[std::this_thread::get_id()], {});
}

// Of all other threads, of which one has stored.
Names TakeOthers() {
  std::lock_guard<std::mutex> lock(mutex);
  Names all;
  for (auto& thread : Stores()) {
    if (thread.first == std::this_thread::get_id() || thread.second.empty()) {
      continue;
    }
    EXPECT_TRUE(all.empty()) << "two threads of the server store";
    all = std::exchange(thread.second, {});
  }
  return all;
}

Names operator+(Names names, const Names& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

// A client that the server keeps waiting offers once more, and the server takes
// that, too: without what its end repeats of `more`.
Names WithoutMore(Names names, const Names& more) {
  const auto last = [&] {
    return std::find_end(names.begin(), names.end(), more.begin(), more.end());
  };
  const auto first = [&] {
    return std::search(names.begin(), names.end(), more.begin(), more.end());
  };
  while (first() != last() &&
         names.end() - last() == static_cast<ptrdiff_t>(more.size())) {
    names.erase(last(), names.end());
  }
  return names;
}

const Names kIdentity = {
    "identity.layout version", "identity.bytes",      "identity.pid",
    "identity.start time",     "identity.nonce high", "identity.nonce low",
    "identity.slots global",   "identity.slot count", "identity.version",
    "identity.name",           "identity.magic"};
const Names kHeader = {
    "header.layout version", "header.header bytes", "header.pid",
    "header.start time",     "header.ring size",    "header.total size",
    "header.clock",          "header.slots nonce",  "header.magic"};
const Names kOffer = {"slot.claimed", "slot.nonce high", "slot.nonce low",
                      "slot.offered"};

class PublicationOrder : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!platform::kHaveStorePoints) {
      GTEST_SKIP() << "built without store points; run it with "
                      "--config=store-points";
    }
    TakeOwn();
    TakeOthers();
    platform::SetStorePointHook(&Note);
  }
  void TearDown() override { platform::SetStorePointHook(nullptr); }

  void MakeLobby(platform::Scope scope) {
    address_ = {scope, UniqueName("test.order")};
    auto lobby = Lobby::Create({address_}, {});
    ASSERT_TRUE(lobby.ok()) << lobby.status();
    lobby_ = *std::move(lobby);
  }

  // One connect to an acceptor that ends afterwards, so that all has been
  // stored.
  absl::Status ConnectOnce(ClientQuotas* quotas = nullptr) {
    TakeOwn();
    // The server's end, which the client has to find there.
    Acceptor::Accepted accepted;
    Acceptor acceptor(
        lobby_.get(),
        [&](Acceptor::Accepted a) {
          if (a.connection != nullptr) accepted = std::move(a);
          return absl::OkStatus();
        },
        quotas);
    return Connect(address_).status();
  }
  static Names ClientsStores() { return WithoutMore(TakeOwn(), kOffer); }
  static Names ServersStores() {
    return WithoutMore(TakeOthers(), {"slot.taken"});
  }

  Watchdog dog_{120, "the order of a handshake"};
  Address address_;
  std::unique_ptr<Lobby> lobby_;
};

TEST_F(PublicationOrder, OfALobby) {
  MakeLobby(platform::Scope::kLocal);
  EXPECT_THAT(TakeOwn(), ElementsAreArray(Names{"slots.magic"} + kIdentity));
}

TEST_F(PublicationOrder, OfALobbyThatIsMadeGood) {
  MakeLobby(platform::Scope::kLocal);
  {
    auto identity =
        platform::NamedMapping::Open(address_.IdentityName(), {}).value();
    auto view =
        identity
            .Map(0, sizeof(memory::LobbyIdentity), platform::Access::kReadWrite)
            .value();
    reinterpret_cast<memory::LobbyIdentity*>(view.data())->pid += 1;
  }
  TakeOwn();
  ASSERT_TRUE(lobby_->MakeGood().value());
  // First what it should say, in private memory.
  EXPECT_THAT(TakeOwn(),
              ElementsAreArray(kIdentity + Names{"identity.magic taken back",
                                                 "identity.made good",
                                                 "identity.magic made good"}));
}

TEST_F(PublicationOrder, OfAConnectionThatTheClientMakes) {
  MakeLobby(platform::Scope::kLocal);
  const absl::Status status = ConnectOnce();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(ClientsStores(), ElementsAreArray(kHeader + kOffer));
  EXPECT_THAT(ServersStores(),
              ElementsAre("slot.taken", "hello.clock", "hello.accepted"));
}

TEST_F(PublicationOrder, OfAConnectionThatTheServerMakes) {
  MakeLobby(platform::Scope::kGlobal);
  const absl::Status status = ConnectOnce();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(ClientsStores(), ElementsAreArray(kHeader + kOffer));
  EXPECT_THAT(ServersStores(),
              ElementsAreArray(Names{"slot.taken"} + kHeader +
                               Names{"hello.connection nonce high",
                                     "hello.connection nonce low",
                                     "hello.clock", "hello.accepted"}));
}

TEST_F(PublicationOrder, OfARefusal) {
  MakeLobby(platform::Scope::kLocal);
  ClientQuotas::Limits limits;
  limits.connections = 0;
  ClientQuotas quotas(limits);
  EXPECT_EQ(ConnectOnce(&quotas).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(ClientsStores(), ElementsAreArray(kHeader + kOffer));
  EXPECT_THAT(ServersStores(),
              ElementsAre("slot.taken", "hello.refusal", "hello.limit",
                          "hello.clock of a refusal", "hello.refused"));
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
