// ServerBuilder::SetAccess with SDDL: what the objects then say of themselves,
// and a server that belongs to somebody else. Wine has one user only, so that
// "somebody else" is an owner written into the SDDL, and what the system would
// refuse to a real other user is read off the lists.

#include <windows.h>

// After windows.h, which they need.
#include <aclapi.h>
#include <sddl.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/trouble/support.h"
#include "transport/link/address.h"
#include "transport/link/lobby.h"
#include "transport/platform/mapping.h"
#include "transport/platform/user.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr char kAllUsers[] = "S-1-5-32-545";
constexpr char kEverybody[] = "S-1-1-0";
// All users may call; the owner is the one who runs the server.
constexpr char kForAllUsers[] = "D:P(A;;GA;;;OW)(A;;GRGWGX;;;BU)";
// The same, as if "everybody" ran it.
constexpr char kOfEverybody[] = "O:WDD:P(A;;GA;;;WD)";

constexpr DWORD kReads = SECTION_MAP_READ | GENERIC_READ | GENERIC_ALL;
constexpr DWORD kWrites = SECTION_MAP_WRITE | GENERIC_WRITE | GENERIC_ALL;
constexpr DWORD kChangesTheList = WRITE_DAC | WRITE_OWNER | GENERIC_ALL;

// Arguments: target, SDDL.
SHMRPC_TEST_ROLE(sddl_server) {
  return RunEchoServer(args, nullptr,
                       [](const RoleArgs& role_args, ServerBuilder* builder) {
                         AccessControl access;
                         access.sddl = role_args.at(1);
                         builder->SetAccess(access);
                       });
}

class SddlServer : public EchoServer {
 public:
  explicit SddlServer(const std::string& sddl)
      : EchoServer(UniqueName("access"), "sddl_server", {}, {sddl}) {}
};

struct Descriptor {
  std::string owner;
  DWORD entries = 0;
  DWORD all_users = 0;  // what they may do
};

Descriptor DescriptorOf(const std::string& name) {
  Descriptor result;
  const HANDLE section = OpenFileMappingA(READ_CONTROL | SECTION_MAP_READ,
                                          FALSE, ("Local\\" + name).c_str());
  EXPECT_NE(section, nullptr) << name << ": " << GetLastError();
  PSID owner = nullptr;
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (GetSecurityInfo(section, SE_KERNEL_OBJECT,
                      OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                      &owner, nullptr, &list, nullptr,
                      &descriptor) != ERROR_SUCCESS) {
    ADD_FAILURE() << name << " does not tell its descriptor";
    return result;
  }
  char* text = nullptr;
  if (ConvertSidToStringSidA(owner, &text)) result.owner = text;
  LocalFree(text);
  result.entries = list->AceCount;
  for (DWORD i = 0; i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (!GetAce(list, i, &entry)) continue;
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    if (!ConvertSidToStringSidA(&allowed->SidStart, &text)) continue;
    if (std::string(text) == kAllUsers) result.all_users = allowed->Mask;
    LocalFree(text);
  }
  LocalFree(descriptor);
  CloseHandle(section);
  return result;
}

EchoClient AcceptingClient(const std::string& name, const std::string& user) {
  ChannelArguments arguments;
  arguments.SetString(SHMRPC_ARG_SERVER_USER, user);
  return EchoClient(name, arguments);
}

TEST(Sddl, IdentityIsReadBySlotsAreWrittenByThoseAdmitted) {
  SddlServer server(kForAllUsers);
  ASSERT_TRUE(server.started()) << server.error();
  EchoClient(server.name()).ExpectWorks();
  const Descriptor identity = DescriptorOf("shmrpc.srv." + server.name());
  EXPECT_EQ(identity.owner, platform::CurrentUser());
  EXPECT_NE(identity.all_users & kReads, 0u);
  EXPECT_EQ(identity.all_users & (kWrites | kChangesTheList), 0u);
  const auto read = link::ReadIdentity(*link::ParseAddress(server.target()));
  ASSERT_TRUE(read.ok()) << read.status();
  const Descriptor slots =
      DescriptorOf(link::SlotsName(read->slots_scope, read->slots_nonce).name);
  EXPECT_EQ(slots.owner, platform::CurrentUser());
  EXPECT_NE(slots.all_users & kReads, 0u);
  EXPECT_NE(slots.all_users & kWrites, 0u);
  EXPECT_EQ(slots.all_users & kChangesTheList, 0u);
  server.ShutDown();
}

TEST(Sddl, DefaultAdmitsTheOwnerAlone) {
  EchoServer server(UniqueName("access"));
  const Descriptor identity = DescriptorOf("shmrpc.srv." + server.name());
  EXPECT_EQ(identity.owner, platform::CurrentUser());
  EXPECT_EQ(identity.entries, 1u);
  server.ShutDown();
}

TEST(Sddl, ThatIsNoneNoServer) {
  SddlServer server("D:(nonsense");
  EXPECT_FALSE(server.started());
  EXPECT_THAT(server.error(), HasSubstr("D:(nonsense"));
  EXPECT_THAT(server.error(), HasSubstr("is not a security descriptor"));
}

TEST(Sddl, ServerOfAnotherOwnerIsRefusedUnlessAccepted) {
  SddlServer server(kOfEverybody);
  ASSERT_TRUE(server.started()) << server.error();
  ExpectUnavailable(EchoClient(server.name()).Call(SmallRequest()),
                    {"PERMISSION_DENIED", kEverybody, SHMRPC_ARG_SERVER_USER});
  ExpectUnavailable(
      AcceptingClient(server.name(), kAllUsers).Call(SmallRequest()),
      {"PERMISSION_DENIED", kEverybody});
  for (const std::string user : {kEverybody, "*"}) {
    EchoClient client = AcceptingClient(server.name(), user);
    for (const int64_t size_bytes : {10, 9000, 3000000}) {
      const Status status = client.Call(LargeRequest(size_bytes));
      EXPECT_TRUE(status.ok()) << status;
    }
  }
  server.ShutDown();
}

TEST(Sddl, ObjectForOneOtherUserLetsItReadAndWriteOnly) {
  platform::CreateOptions options;
  options.access.user = kAllUsers;
  const std::string name = UniqueName("shmrpc-test.two");
  auto mapping = platform::NamedMapping::Create({platform::Scope::kLocal, name},
                                                4096, options);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  const Descriptor two = DescriptorOf(name);
  EXPECT_EQ(two.owner, platform::CurrentUser());
  EXPECT_EQ(two.entries, 2u);
  EXPECT_NE(two.all_users & kReads, 0u);
  EXPECT_NE(two.all_users & kWrites, 0u);
  EXPECT_EQ(two.all_users & kChangesTheList, 0u);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
