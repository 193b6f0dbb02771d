#include "transport/link/lobby.h"

#include <cstring>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/version.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace link {
namespace {

using memory::LobbyIdentity;
using platform::NamedMapping;
using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::UniqueName;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Address NewAddress() {
  return {platform::Scope::kLocal, UniqueName("test.lobby")};
}

TEST(Lobby, IdentityIsWhatClientsRead) {
  const Address address = NewAddress();
  auto lobby = Lobby::Create({address}, {});
  ASSERT_TRUE(lobby.ok()) << lobby.status();
  auto identity = ReadIdentity(address);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE(identity->process == platform::CurrentProcess());
  EXPECT_EQ(identity->version, SHMRPC_VERSION_STRING);
  EXPECT_EQ(identity->slots_scope, platform::Scope::kLocal);
  platform::OpenOptions guest;
  guest.hold = false;
  EXPECT_TRUE(
      NamedMapping::Open(
          SlotsName(identity->slots_scope, identity->slots_nonce), guest)
          .ok());
  for (const auto& slot : (*lobby)->slots()->slots) {
    EXPECT_EQ(slot.state.load(), uint64_t{memory::kSlotFree});
  }
}

TEST(Lobby, LongestNameIsKeptWhole) {
  Address address = NewAddress();
  address.name.resize(64, 'x');
  auto lobby = Lobby::Create({address}, {});
  ASSERT_TRUE(lobby.ok()) << lobby.status();
  EXPECT_TRUE(ReadIdentity(address).ok());
}

TEST(Lobby, NameOfALivingServerIsAnErrorThatNamesIt) {
  const Address address = NewAddress();
  auto first = Lobby::Create({address}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = Lobby::Create({address}, {});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(
      std::string(second.status().message()),
      AllOf(HasSubstr(address.ToString()), HasSubstr("already in use by"),
            HasSubstr("lobby_test"),
            HasSubstr(absl::StrCat("pid ", platform::CurrentProcess().pid))));
}

TEST(Lobby, OneNameOfSeveralTakenLeavesNoneBehind) {
  const Address taken = NewAddress();
  const Address other = NewAddress();
  auto first = Lobby::Create({taken}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(Lobby::Create({other, taken}, {}).ok());
  EXPECT_EQ(ReadIdentity(other).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(ReadIdentity(taken).ok());
}

TEST(Lobby, EveryNameLeadsToTheSameSlots) {
  const Address a = NewAddress();
  const Address b = NewAddress();
  auto lobby = Lobby::Create({a, b}, {});
  ASSERT_TRUE(lobby.ok()) << lobby.status();
  EXPECT_EQ(ReadIdentity(a)->slots_nonce.ToString(),
            ReadIdentity(b)->slots_nonce.ToString());
}

TEST(Lobby, NamesAreFreeAgainWhenItIsGone) {
  const Address address = NewAddress();
  for (int i = 0; i < 3; ++i) {
    auto lobby = Lobby::Create({address}, {});
    ASSERT_TRUE(lobby.ok()) << lobby.status();
  }
  EXPECT_EQ(ReadIdentity(address).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(address.IdentityName().name), IsEmpty());
}

TEST(Lobby, NobodyThereIsNotFoundAndSaysWhatToDo) {
  const Address address = NewAddress();
  const absl::Status status = ReadIdentity(address).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(address.ToString() +
                        ": no server is listening under this name"));
}

// An identity that some program wrote itself.
absl::Status ReadForged(uint64_t size_bytes,
                        std::function<void(LobbyIdentity*)> forge) {
  const Address address = NewAddress();
  auto made = NamedMapping::Create(
      address.IdentityName(), size_bytes, {}, [&](uint8_t* data) {
        auto* identity = reinterpret_cast<LobbyIdentity*>(data);
        identity->layout_version = kLayoutVersion;
        identity->identity_bytes = sizeof(LobbyIdentity);
        identity->pid = platform::CurrentProcess().pid;
        identity->start_time = platform::CurrentProcess().start_time;
        identity->magic = memory::kLobbyMagic;
        forge(identity);
        return absl::OkStatus();
      });
  EXPECT_TRUE(made.ok()) << made.status();
  return ReadIdentity(address).status();
}

TEST(ReadIdentity, ForgedHonestIdentityIsBelieved) {
  const absl::Status status =
      ReadForged(sizeof(LobbyIdentity), [](LobbyIdentity*) {});
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ReadIdentity, ObjectOfAnotherProgramIsDataLoss) {
  EXPECT_EQ(ReadForged(4096, [](LobbyIdentity* i) { i->magic = 7; }).code(),
            absl::StatusCode::kDataLoss);
}

TEST(ReadIdentity, ServerThatIsJustStartingIsWorthAnotherLook) {
  EXPECT_EQ(ReadForged(4096, [](LobbyIdentity* i) { i->magic = 0; }).code(),
            absl::StatusCode::kAborted);
}

TEST(ReadIdentity, OtherLayoutVersionSaysBoth) {
  const absl::Status status = ReadForged(
      4096, [](LobbyIdentity* i) { i->layout_version = kLayoutVersion + 7; });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr(absl::StrCat("layout version ", kLayoutVersion + 7)),
            HasSubstr(absl::StrCat("version ", kLayoutVersion, " "))));
}

TEST(ReadIdentity, ProcessThatHasEndedIsNotFound) {
  const absl::Status status =
      ReadForged(4096, [](LobbyIdentity* i) { ++i->start_time; });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has ended"));
}

TEST(ReadIdentity, VersionTextWithoutAnEndIsCutOff) {
  const Address address = NewAddress();
  EXPECT_TRUE(ReadForged(4096, [](LobbyIdentity* i) {
                std::memset(i->version, 'v', sizeof(i->version));
                std::memset(i->name, 'n', sizeof(i->name));
              }).ok());
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
