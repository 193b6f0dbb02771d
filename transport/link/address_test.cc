#include "transport/link/address.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace link {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Matcher;

TEST(Address, LocalNameIsAServerOfThisSession) {
  auto address = ParseAddress("shm:greeter");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->scope, platform::Scope::kLocal);
  EXPECT_EQ(address->name, "greeter");
  EXPECT_EQ(address->ToString(), "shm:greeter");
  EXPECT_EQ(address->IdentityName().name, "shmrpc.srv.greeter");
  EXPECT_EQ(address->IdentityName().scope, platform::Scope::kLocal);
}

TEST(Address, GlobalNameIsAServerForAllSessions) {
  auto address = ParseAddress("shm:global/greeter");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->scope, platform::Scope::kGlobal);
  EXPECT_EQ(address->name, "greeter");
  EXPECT_EQ(address->ToString(), "shm:global/greeter");
  EXPECT_EQ(address->IdentityName().scope, platform::Scope::kGlobal);
}

TEST(Address, EveryAllowedCharacterAndLengthPasses) {
  for (const std::string& name :
       {std::string("a"), std::string("A-Z.a_z-0.9"), std::string("global"),
        std::string(64, 'x')}) {
    auto address = ParseAddress("shm:" + name);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->name, name);
    EXPECT_TRUE(platform::ValidateName(address->IdentityName()).ok());
  }
}

TEST(Address, BadTargetSaysWhatIsWrongAndWhatIsRight) {
  const struct {
    std::string target;
    Matcher<std::string> message;
  } cases[] = {
      {"", HasSubstr("target \"\": unknown scheme; expected \"shm:NAME\"")},
      {"greeter", HasSubstr("unknown scheme")},
      {"SHM:greeter", HasSubstr("unknown scheme")},
      {"dns:///host:1", HasSubstr("target \"dns:///host:1\": unknown scheme")},
      {"shm:", HasSubstr("empty")},
      {"shm:global/", HasSubstr("empty")},
      {"shm:a/b",
       AllOf(HasSubstr("'/' at position 1"), HasSubstr("\"shm:global/NAME\""))},
      {"shm:global/global/x", HasSubstr("'/' at position 6")},
      {"shm:a\\b", HasSubstr("at position 1")},
      {"shm:a b", HasSubstr("' ' at position 1")},
      {std::string("shm:a\0b", 7), HasSubstr("at position 1")},
      {"shm:\xc3\xa9t\xc3\xa9", HasSubstr("at position 0")},
      {"shm:.hidden", HasSubstr("'.' at position 0")},
      {"shm:../../etc/passwd", HasSubstr("at position 2")},
      {"shm:" + std::string(65, 'x'),
       HasSubstr("the name has 65 bytes, the limit is 64")},
      {"shm:" + std::string(100000, 'x'), HasSubstr("the limit is 64")},
  };
  for (const auto& c : cases) {
    auto address = ParseAddress(c.target);
    ASSERT_FALSE(address.ok()) << c.target;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(address.status().message()), c.message);
  }
}

TEST(Nonce, IsThirtyTwoHexadecimalDigits) {
  EXPECT_EQ((Nonce{0x1, 0xfedcba9876543210}.ToString()),
            "0000000000000001fedcba9876543210");
}

TEST(Nonce, NeverRepeats) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(Nonce::Random().ToString()).second);
  }
}

TEST(Address, NonceNamesAreValidWithEverySuffix) {
  const Nonce nonce = Nonce::Random();
  const auto name = ConnectionName(platform::Scope::kLocal, nonce);
  EXPECT_EQ(name.name, "shmrpc.conn." + nonce.ToString());
  // The longest: a segment's.
  EXPECT_TRUE(platform::ValidateName(
                  name.WithSuffix(".c4294967295.0123456789abcdef.01234567."
                                  "0123456789abcdef"))
                  .ok());
  EXPECT_EQ(SlotsName(platform::Scope::kGlobal, nonce).name,
            "shmrpc.slots." + nonce.ToString());
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
