// Peers of another version, and objects that are no peers at all.

#include "shmrpc/version.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/trouble/fake_peer.h"
#include "tests/trouble/support.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kOtherLayout = kLayoutVersion + 7;

// A lobby in a process of its own, so that the client sees a living server.
// Arguments: target, which fake.
SHMRPC_TEST_ROLE(fake_lobby) {
  const std::string kind = args.at(1);
  const auto lobby =
      MakeFakeLobby(args.at(0), [&](memory::LobbyIdentity* identity) {
        if (kind == "layout") identity->layout_version = kOtherLayout;
        if (kind == "magic") identity->magic.store(0x1234567890abcdef);
        if (kind == "starting") identity->magic.store(0);
        if (kind == "no_slots") identity->slots_nonce[0] = 42;
        if (kind == "other_pid") identity->pid = 0x3ffffffe;
      });
  SendLine("ready");
  std::string line;
  while (ReceiveLine(&line)) {
  }
  return 0;
}

struct FakeLobbyCase {
  const char* kind;
  std::vector<std::string> parts;  // of the message
};

TEST(FakeLobby, CallIsUnavailableAndSaysWhatIsThere) {
  const FakeLobbyCase cases[] = {
      {"layout",
       {absl::StrCat("layout version ", kOtherLayout),
        absl::StrCat("this client version ", kLayoutVersion),
        SHMRPC_VERSION_STRING, "build both from compatible versions"}},
      {"magic", {"not made by shmrpc"}},
      {"starting", {"just starting", "try again"}},
      {"no_slots", {"shutting down"}},
  };
  for (const FakeLobbyCase& c : cases) {
    SCOPED_TRACE(c.kind);
    const std::string name = UniqueName("fake");
    Subprocess fake = SpawnRole("fake_lobby", {"shm:" + name, c.kind});
    ASSERT_EQ(fake.ReadLine(), "ready");
    Watchdog dog(40, "a call to a fake lobby");
    const Status status = EchoClient(name).Call(SmallRequest());
    ExpectUnavailable(status, c.parts);
    ExpectUnavailable(status, {"shm:" + name});
    fake.CloseStdin();
    EXPECT_TRUE(fake.Wait().ok());
  }
}

TEST(FakeLobby, WhoseProcessHasEndedIsUnavailable) {
  const std::string name = UniqueName("fake");
  Subprocess fake = SpawnRole("fake_lobby", {"shm:" + name, "other_pid"});
  ASSERT_EQ(fake.ReadLine(), "ready");
  ExpectUnavailable(EchoClient(name).Call(SmallRequest()),
                    {"shm:" + name, absl::StrCat(0x3ffffffe)});
  fake.CloseStdin();
  fake.Wait();
}

TEST(FakeLobby, OnANameServerDoesNotStartAndSaysItIsTaken) {
  const std::string name = UniqueName("fake");
  Subprocess fake = SpawnRole("fake_lobby", {"shm:" + name, "magic"});
  ASSERT_EQ(fake.ReadLine(), "ready");
  EchoServer server(name);
  EXPECT_FALSE(server.started());
  EXPECT_THAT(server.error(), HasSubstr("shm:" + name));
  EXPECT_THAT(server.error(), HasSubstr("already in use"));
  EXPECT_THAT(server.error(), HasSubstr("choose another name"));
  fake.CloseStdin();
  fake.Wait();
}

TEST(OtherLibraryVersion, OfTheSameLayoutWorks) {
  EchoServer server(UniqueName("version"));
  platform::OpenOptions options;
  options.hold = false;
  auto mapping = platform::NamedMapping::Open(
      AddressOf(server.target()).IdentityName(), options);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  auto view = mapping->Map(0, sizeof(memory::LobbyIdentity),
                           platform::Access::kReadWrite);
  ASSERT_TRUE(view.ok()) << view.status();
  auto* identity = reinterpret_cast<memory::LobbyIdentity*>(view->data());
  memcpy(identity->version, "9.8.7-other", sizeof("9.8.7-other"));
  EXPECT_EQ(link::ReadIdentity(AddressOf(server.target()))->version,
            "9.8.7-other");
  EchoClient(server.name()).ExpectWorks();
  *view = platform::View();
  *mapping = platform::NamedMapping();
  server.ShutDown();
}

struct FakeClientCase {
  const char* what;
  std::function<void(memory::ConnectionHeader*)> edit;
  memory::Refusal refusal;
  std::string log;  // part of what the server logs
};

TEST(FakeClient, WithAHeaderThatMakesNoSenseIsRefusedAndOthersServed) {
  using H = memory::ConnectionHeader;
  const uint64_t usual = memory::kRingSizeBytes;
  const FakeClientCase cases[] = {
      {"another layout version", [](H* h) { h->layout_version = kOtherLayout; },
       memory::kRefusedLayoutVersion,
       absl::StrCat("layout version ", kOtherLayout, ", this server has ",
                    kLayoutVersion)},
      {"wrong magic", [](H* h) { h->magic.store(17); }, memory::kRefusedHeader,
       "wrong magic"},
      {"no magic", [](H* h) { h->magic.store(0); }, memory::kRefusedHeader,
       "wrong magic"},
      {"rings of 0 bytes", [](H* h) { h->ring_size_bytes = 0; },
       memory::kRefusedHeader, "rings of 0 bytes"},
      {"rings of 3 bytes", [](H* h) { h->ring_size_bytes = 3; },
       memory::kRefusedHeader, "rings of 3 bytes"},
      {"rings of no power of two",
       [](H* h) {
         h->ring_size_bytes = 60000;
         h->total_size_bytes = memory::ConnectionSizeBytes(60000);
       },
       memory::kRefusedHeader, "rings of 60000 bytes"},
      {"rings larger than the object",
       [&](H* h) {
         h->ring_size_bytes = 2 * usual;
         h->total_size_bytes = memory::ConnectionSizeBytes(2 * usual);
       },
       memory::kRefusedHeader, absl::StrCat("rings of ", 2 * usual)},
      {"rings larger than allowed",
       [](H* h) {
         h->ring_size_bytes = uint64_t{1} << 40;
         h->total_size_bytes = memory::ConnectionSizeBytes(uint64_t{1} << 40);
       },
       memory::kRefusedHeader, "rings of 1099511627776"},
      {"rings whose sum overflows",
       [](H* h) {
         h->ring_size_bytes = uint64_t{1} << 63;
         h->total_size_bytes = memory::kPage;
       },
       memory::kRefusedHeader, "rings of 9223372036854775808"},
      {"a total that is not the sum", [](H* h) { h->total_size_bytes = 1; },
       memory::kRefusedHeader, "in 1, "},
      {"another process's start time", [](H* h) { h->client_start_time ^= 1; },
       memory::kRefusedIdentity, "no process"},
  };
  EchoServer server(UniqueName("fooled"));
  EchoClient established(server.name());
  established.ExpectWorks();
  FakeClient fake(server.target());
  for (const FakeClientCase& c : cases) {
    SCOPED_TRACE(c.what);
    fake.Offer(c.edit);
    EXPECT_EQ(fake.AwaitAnswer(), c.refusal);
    const std::string log = server.AwaitLog(fake.connection_name());
    EXPECT_THAT(log, HasSubstr("refused"));
    EXPECT_THAT(log, HasSubstr(c.log));
    EXPECT_THAT(
        log, HasSubstr(absl::StrCat("pid ", platform::CurrentProcess().pid)));
    established.ExpectWorks();
    EchoClient(server.name()).ExpectWorks();
  }
  server.ShutDown();
}

TEST(FakeClient, WithAnObjectOfAnAbsurdSizeIsLoggedAndOthersServed) {
  EchoServer server(UniqueName("fooled"));
  FakeClient fake(server.target());
  const uint64_t too_large =
      memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes) + memory::kPage;
  fake.Offer(too_large, [](memory::ConnectionHeader*) {});
  EXPECT_THAT(server.AwaitLog(fake.connection_name()),
              HasSubstr(absl::StrCat(too_large, " bytes")));
  EchoClient(server.name()).ExpectWorks();
  // One page, the size of a knock, which says that it has rings.
  fake.Offer(memory::kPage, [](memory::ConnectionHeader*) {});
  EXPECT_EQ(fake.AwaitAnswer(), memory::kRefusedHeader);
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
}

TEST(FakeClient, OfferingWhatDoesNotExistIsLoggedAndOthersServed) {
  EchoServer server(UniqueName("fooled"));
  FakeClient fake(server.target());
  fake.OfferNothing();
  const std::string log = server.AwaitLog("connection offered by");
  EXPECT_THAT(log,
              HasSubstr(absl::StrCat("pid ", platform::CurrentProcess().pid)));
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
}

TEST(FakeClient, ThatDiedWithAllSlotsClaimedOthersAreServed) {
  EchoServer server(UniqueName("fooled"));
  FakeClient fake(server.target());
  EXPECT_EQ(fake.ClaimAllSlots(0x3ffffffe), memory::kSlotCount);
  Watchdog dog(40, "a connect while a dead client has all slots");
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
}

TEST(FakeClient, ThatLivesWithAllSlotsClaimedConnectEndsAtTheDeadline) {
  EchoServer server(UniqueName("fooled"));
  EchoClient established(server.name());
  established.ExpectWorks();
  FakeClient fake(server.target());
  EXPECT_EQ(fake.ClaimAllSlots(platform::CurrentProcess().pid),
            memory::kSlotCount);
  Watchdog dog(40, "a connect while another client has all slots");
  ExpectStatus(EchoClient(server.name()).Call(SmallRequest(), nullptr, 200),
               StatusCode::DEADLINE_EXCEEDED, {});
  established.ExpectWorks();
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
