// Named events: what of a name only Windows cares for.

#include "gtest/gtest.h"
#include "transport/platform/event.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::UniqueName;

TEST(EventWin, TakenNameAlreadyExists) {
  const ObjectName name = {Scope::kLocal, UniqueName("shmrpc-test.event")};
  auto event = Event::Create(name, nullptr, {});
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(Event::Create(name, nullptr, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
  *event = Event();
  EXPECT_TRUE(Event::Create(name, nullptr, {}).ok());
}

TEST(EventWin, NameOfASectionAlreadyExists) {
  const ObjectName name = {Scope::kLocal, UniqueName("shmrpc-test.event")};
  auto mapping = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(Event::Create(name, nullptr, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
  auto event = Event::Create(name.WithSuffix(".e"), nullptr, {});
  EXPECT_EQ(
      NamedMapping::Create(name.WithSuffix(".e"), 4096, {}).status().code(),
      absl::StatusCode::kAlreadyExists);
}

TEST(EventWin, UnknownNameIsNotFound) {
  EXPECT_EQ(
      Event::Open({Scope::kLocal, UniqueName("shmrpc-test.event")}, nullptr)
          .status()
          .code(),
      absl::StatusCode::kNotFound);
}

TEST(EventWin, DescriptorThatAllowsNobodyRefusesEvenThisUser) {
  const ObjectName name = {Scope::kLocal, UniqueName("shmrpc-test.event")};
  AccessPolicy access;
  access.sddl = "D:P";
  auto event = Event::Create(name, nullptr, access);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(Event::Open(name, nullptr).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(EventWin, MalformedDescriptorIsInvalid) {
  AccessPolicy access;
  access.sddl = "no such thing";
  EXPECT_EQ(Event::Create({Scope::kLocal, UniqueName("shmrpc-test.event")},
                          nullptr, access)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
