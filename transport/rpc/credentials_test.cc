#include "shmrpc/credentials.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Credentials, LocalOnesAreUsable) {
  EXPECT_THAT(InsecureChannelCredentials()->unusable(), IsEmpty());
  EXPECT_THAT(InsecureServerCredentials()->unusable(), IsEmpty());
  for (const auto type : {UDS, LOCAL_TCP}) {
    EXPECT_THAT(experimental::LocalCredentials(type)->unusable(), IsEmpty());
    EXPECT_THAT(experimental::LocalServerCredentials(type)->unusable(),
                IsEmpty());
  }
}

TEST(Credentials, ThoseOfChannelsForNetworksSayWhatToUse) {
  EXPECT_THAT(SslCredentials({})->unusable(),
              AllOf(HasSubstr("SslCredentials"), HasSubstr("TLS"),
                    HasSubstr("for networks"),
                    HasSubstr("use InsecureChannelCredentials()")));
  EXPECT_THAT(GoogleDefaultCredentials()->unusable(),
              AllOf(HasSubstr("GoogleDefaultCredentials"),
                    HasSubstr("use InsecureChannelCredentials()")));
  EXPECT_THAT(experimental::AltsCredentials({})->unusable(),
              HasSubstr("use InsecureChannelCredentials()"));
}

TEST(Credentials, ThoseOfServersForNetworksSayWhatToUse) {
  EXPECT_THAT(
      SslServerCredentials(SslServerCredentialsOptions(
                               GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY))
          ->unusable(),
      AllOf(HasSubstr("SslServerCredentials"), HasSubstr("TLS"),
            HasSubstr("use InsecureServerCredentials()")));
  EXPECT_THAT(experimental::AltsServerCredentials({})->unusable(),
              HasSubstr("use InsecureServerCredentials()"));
}

TEST(Credentials, ThoseOfCallsNameTheirFactory) {
  EXPECT_THAT(GoogleComputeEngineCredentials()->unusable(),
              HasSubstr("GoogleComputeEngineCredentials"));
  EXPECT_THAT(ServiceAccountJWTAccessCredentials("{}")->unusable(),
              HasSubstr("ServiceAccountJWTAccessCredentials"));
  EXPECT_THAT(GoogleRefreshTokenCredentials("{}")->unusable(),
              HasSubstr("GoogleRefreshTokenCredentials"));
  EXPECT_THAT(AccessTokenCredentials("token")->unusable(),
              HasSubstr("AccessTokenCredentials"));
  EXPECT_THAT(GoogleIAMCredentials("token", "selector")->unusable(),
              HasSubstr("GoogleIAMCredentials"));
  EXPECT_THAT(ExternalAccountCredentials("{}", {})->unusable(),
              HasSubstr("ExternalAccountCredentials"));
}

TEST(Credentials, SecretsDoNotShowInTheText) {
  EXPECT_THAT(AccessTokenCredentials("hunter2")->unusable(),
              ::testing::Not(HasSubstr("hunter2")));
}

TEST(Credentials, CompositeIsAsUnusableAsItsParts) {
  const auto token = AccessTokenCredentials("token");
  const auto local = InsecureChannelCredentials();
  EXPECT_THAT(CompositeChannelCredentials(local, token)->unusable(),
              HasSubstr("AccessTokenCredentials"));
  EXPECT_THAT(
      CompositeChannelCredentials(SslCredentials({}), token)->unusable(),
      HasSubstr("SslCredentials"));
  EXPECT_THAT(CompositeCallCredentials(GoogleComputeEngineCredentials(), token)
                  ->unusable(),
              HasSubstr("GoogleComputeEngineCredentials"));
}

TEST(Credentials, CompositeOfNullIsNull) {
  EXPECT_EQ(CompositeChannelCredentials(nullptr, AccessTokenCredentials("")),
            nullptr);
  EXPECT_EQ(CompositeChannelCredentials(InsecureChannelCredentials(), nullptr),
            nullptr);
  EXPECT_EQ(CompositeCallCredentials(nullptr, nullptr), nullptr);
}

}  // namespace
}  // namespace shmrpc
