// Sections: who may open them, and what others' may be like.

#include <windows.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/guard.h"
#include "transport/platform/mapping.h"
#include "transport/platform/security_win.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::UniqueName;
using ::testing::HasSubstr;

ObjectName TestName() {
  return {Scope::kLocal, UniqueName("shmrpc-test.section")};
}

// In SDDL: the owner and the DACL of a living object.
std::string DescriptorOf(const ObjectName& name) {
  const HANDLE section = OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE,
                                          Wide(name.OsName()).c_str());
  EXPECT_NE(section, nullptr);
  const std::string text = SddlOf(section);
  CloseHandle(section);
  return text;
}

TEST(MappingWin, DefaultAllowsTheOwnerAlone) {
  const ObjectName name = TestName();
  auto mapping = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  const std::string sddl = DescriptorOf(name);
  // O:<sid>D:P(A;;<rights>;;;<the same sid>), and no second entry.
  const size_t dacl = sddl.find("D:P(");
  ASSERT_NE(dacl, std::string::npos) << sddl;
  const std::string owner = sddl.substr(2, dacl - 2);
  EXPECT_EQ(sddl.substr(0, 2), "O:");
  EXPECT_THAT(sddl, HasSubstr(";;;" + owner + ")")) << sddl;
  EXPECT_EQ(sddl.find('('), sddl.rfind('(')) << sddl;
}

TEST(MappingWin, DescriptorThatAllowsNobodyRefusesEvenThisUser) {
  const ObjectName name = TestName();
  CreateOptions options;
  options.access.sddl = "D:P";
  auto mapping = NamedMapping::Create(name, 4096, options);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(NamedMapping::Create(name, 4096, {}).ok());
}

TEST(MappingWin, AnotherUsersObjectIsRefused) {
  const ObjectName name = TestName();
  // Owned by "everyone", which is nobody's user.
  CreateOptions options;
  options.access.sddl = "O:WDD:P(A;;GA;;;WD)";
  auto mapping = NamedMapping::Create(name, 4096, options);
  if (!mapping.ok()) GTEST_SKIP() << "owner refused: " << mapping.status();
  const auto opened = NamedMapping::Open(name, {});
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("S-1-1-0"));
  OpenOptions options_any;
  options_any.require_same_owner = false;
  EXPECT_TRUE(NamedMapping::Open(name, options_any).ok());
}

TEST(MappingWin, ReservedPagesOfAForeignSectionAreCommittedByMapping) {
  const ObjectName name = TestName();
  const HANDLE section = CreateFileMappingW(
      INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | SEC_RESERVE, 0, 1 << 20,
      Wide(name.OsName()).c_str());
  ASSERT_NE(section, nullptr);
  OpenOptions options;
  options.require_same_owner = false;
  auto mapping = NamedMapping::Open(name, options);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->size_bytes(), 1u << 20);
  auto view = mapping->Map(0, 1 << 20, Access::kReadWrite);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(Guarded(*view, [&] { view->data()[(1 << 20) - 1] = 1; }));
  CloseHandle(section);
}

TEST(MappingWin, NameFreedWithTheLastViewAndHandle) {
  const ObjectName name = TestName();
  auto mapping = NamedMapping::Create(name, 4096, {});
  auto opened = NamedMapping::Open(name, {});
  mapping = NamedMapping();
  EXPECT_FALSE(NamedMapping::Create(name, 4096, {}).ok());
  opened = NamedMapping();
  EXPECT_TRUE(NamedMapping::Create(name, 4096, {}).ok());
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
