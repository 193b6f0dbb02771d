#include "transport/rpc/auth_context.h"

#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

TEST(AuthContext, OfALocalPeerNamesItsPid) {
  const auto context = LocalAuthContext(1234);
  EXPECT_THAT(Properties(*context),
              ElementsAre("transport_security_type=shmrpc", "pid=1234"));
  EXPECT_TRUE(context->IsPeerAuthenticated());
  EXPECT_EQ(context->GetPeerIdentityPropertyName(), "pid");
  EXPECT_THAT(context->GetPeerIdentity(), ElementsAre(string_ref("1234")));
  EXPECT_THAT(context->FindPropertyValues("transport_security_type"),
              ElementsAre(string_ref("shmrpc")));
}

TEST(AuthContext, OfAnUnknownPeerIsEmpty) {
  const auto context = LocalAuthContext(0);
  EXPECT_THAT(Properties(*context), IsEmpty());
  EXPECT_FALSE(context->IsPeerAuthenticated());
  EXPECT_EQ(context->GetPeerIdentityPropertyName(), "");
  EXPECT_THAT(context->GetPeerIdentity(), IsEmpty());
  EXPECT_THAT(context->FindPropertyValues("pid"), IsEmpty());
}

TEST(AuthContext, PropertiesAreAddedInOrderAndSeveralTimes) {
  const auto context = MakeAuthContext(0);
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
  const auto context = MakeAuthContext(7);
  EXPECT_FALSE(context->SetPeerIdentityPropertyName("role"));
  EXPECT_EQ(context->GetPeerIdentityPropertyName(), "pid");
  context->AddProperty("role", "reader");
  EXPECT_TRUE(context->SetPeerIdentityPropertyName("role"));
  EXPECT_THAT(context->GetPeerIdentity(), ElementsAre(string_ref("reader")));
}

TEST(AuthContext, ValuesStayWhereTheyAreWhenOneIsAdded) {
  const auto context = MakeAuthContext(7);
  const string_ref pid = context->GetPeerIdentity()[0];
  for (int i = 0; i < 100; ++i) context->AddProperty("more", "x");
  EXPECT_EQ(context->GetPeerIdentity()[0].data(), pid.data());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
