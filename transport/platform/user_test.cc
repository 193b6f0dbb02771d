#include "transport/platform/user.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace platform {
namespace {

using ::testing::HasSubstr;

TEST(User, CurrentOneParsesAsItself) {
  const std::string self = CurrentUser();
  ASSERT_FALSE(self.empty());
  const auto parsed = ParseUser(self);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, self);
}

TEST(User, TextThatNamesNobodyIsRefusedSayingWhich) {
  for (const std::string text :
       {"", "no-such-user-anywhere", "99999999999999999999", "S-1-", "-1"}) {
    const auto parsed = ParseUser(text);
    EXPECT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(parsed.status().message()),
                HasSubstr("\"" + text + "\""));
  }
  EXPECT_FALSE(ParseUser(absl::string_view("1\0", 2)).ok());
}

TEST(User, NameLeadsBackToTheUserWhereNamesAreTexts) {
  const std::string name = UserName(CurrentUser());
  if (name.empty()) GTEST_SKIP() << "this user has no name";
  const auto parsed = ParseUser(name);
  // Windows takes SIDs only.
  if (parsed.ok()) {
    EXPECT_EQ(*parsed, CurrentUser());
  }
}

TEST(User, OneThatDoesNotExistHasNoName) {
  EXPECT_EQ(UserName("3999999999"), "");
  EXPECT_EQ(UserName(""), "");
  EXPECT_EQ(UserName("nonsense"), "");
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
