#include "transport/rpc/auth_context.h"

#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/user.h"

namespace shmrpc {
namespace internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Properties(const AuthContext& context) {
  std::vector<std::string> all;
  for (const AuthProperty& property : context) {
    std::ostringstream line;
    line << property.first << "=" << property.second;
    all.push_back(line.str());
  }
  return all;
}

// No system has a name for it.
constexpr char kNobodysUser[] = "3999999999";

TEST(AuthContext, OfALocalPeerNamesUserAndProcess) {
  const auto context = LocalAuthContext({1234, 99, kNobodysUser});
  EXPECT_THAT(Properties(*context),
              ElementsAre("transport_security_type=shmrpc",
                          "user=" + std::string(kNobodysUser), "pid=1234",
                          "start_time=99"));
  EXPECT_TRUE(context->IsPeerAuthenticated());
  EXPECT_EQ(context->GetPeerIdentityPropertyName(), "user");
  EXPECT_THAT(context->GetPeerIdentity(),
              ElementsAre(string_ref(kNobodysUser)));
  EXPECT_THAT(context->FindPropertyValues("transport_security_type"),
              ElementsAre(string_ref("shmrpc")));
}

TEST(AuthContext, OfAUserWithANameHasIt) {
  const std::string self = platform::CurrentUser();
  const auto context = LocalAuthContext({1, 1, self});
  EXPECT_THAT(context->FindPropertyValues("user"),
              ElementsAre(string_ref(self)));
  const std::string name = platform::UserName(self);
  if (name.empty()) {
    EXPECT_THAT(context->FindPropertyValues("user_name"), IsEmpty());
  } else {
    EXPECT_THAT(context->FindPropertyValues("user_name"),
                ElementsAre(string_ref(name)));
  }
}

TEST(AuthContext, OfAnUnknownPeerIsEmpty) {
  const auto context = LocalAuthContext({});
  EXPECT_THAT(Properties(*context), IsEmpty());
  EXPECT_FALSE(context->IsPeerAuthenticated());
  EXPECT_EQ(context->GetPeerIdentityPropertyName(), "");
  EXPECT_THAT(context->GetPeerIdentity(), IsEmpty());
  EXPECT_THAT(context->FindPropertyValues("pid"), IsEmpty());
}

TEST(AuthContext, PropertiesAreAddedInOrderAndSeveralTimes) {
  const auto context = MakeAuthContext({});
  context->AddProperty("role", "reader");
  context->AddProperty("other", string_ref("a\0b", 3));
  context->AddProperty("role", "writer");
  EXPECT_THAT(context->FindPropertyValues("role"),
              ElementsAre(string_ref("reader"), string_ref("writer")));
  EXPECT_THAT(context->FindPropertyValues("other"),
              ElementsAre(string_ref("a\0b", 3)));
  auto at = context->begin();
  EXPECT_EQ((*at).second, "reader");
  EXPECT_EQ((*at++).second, "reader");
  EXPECT_EQ((*++at).second, "writer");
  EXPECT_EQ(++at, context->end());
}

TEST(AuthContext, IdentityIsAPropertyThatExists) {
  const auto context = MakeAuthContext({7, 1, kNobodysUser});
  EXPECT_FALSE(context->SetPeerIdentityPropertyName("role"));
  EXPECT_EQ(context->GetPeerIdentityPropertyName(), "user");
  context->AddProperty("role", "reader");
  EXPECT_TRUE(context->SetPeerIdentityPropertyName("role"));
  EXPECT_THAT(context->GetPeerIdentity(), ElementsAre(string_ref("reader")));
}

TEST(AuthContext, ValuesStayWhereTheyAreWhenOneIsAdded) {
  const auto context = MakeAuthContext({7, 1, kNobodysUser});
  const string_ref user = context->GetPeerIdentity()[0];
  for (int i = 0; i < 100; ++i) context->AddProperty("more", "x");
  EXPECT_EQ(context->GetPeerIdentity()[0].data(), user.data());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
