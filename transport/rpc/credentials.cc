#include "shmrpc/credentials.h"

namespace shmrpc {
namespace {

// Opens the constructors.
class LocalChannelCredentials final : public ChannelCredentials {
 public:
  explicit LocalChannelCredentials(std::string unusable = "")
      : ChannelCredentials(std::move(unusable)) {}
};

class LocalCallCredentials final : public CallCredentials {
 public:
  explicit LocalCallCredentials(std::string unusable)
      : CallCredentials(std::move(unusable)) {}
};

class LocalServerPortCredentials final : public ServerCredentials {
 public:
  explicit LocalServerPortCredentials(std::string unusable = "")
      : ServerCredentials(std::move(unusable)) {}
};

std::string ForNetworks(const std::string& factory, const std::string& kind,
                        const std::string& instead) {
  return factory + ": " + kind +
         " credentials are for networks, and this end talks to processes of "
         "this machine only; use " +
         instead;
}

std::shared_ptr<ChannelCredentials> NetworkChannel(const std::string& factory,
                                                   const std::string& kind) {
  return std::make_shared<LocalChannelCredentials>(
      ForNetworks(factory, kind, "InsecureChannelCredentials()"));
}

// An error rather than a token dropped in silence, which would look like one
// that was checked.
std::shared_ptr<CallCredentials> NetworkCall(const std::string& factory) {
  return std::make_shared<LocalCallCredentials>(
      ForNetworks(factory, "Google",
                  "InsecureChannelCredentials() without call credentials"));
}

std::shared_ptr<ServerCredentials> NetworkServer(const std::string& factory,
                                                 const std::string& kind) {
  return std::make_shared<LocalServerPortCredentials>(
      ForNetworks(factory, kind, "InsecureServerCredentials()"));
}

}  // namespace

std::shared_ptr<ChannelCredentials> InsecureChannelCredentials() {
  return std::make_shared<LocalChannelCredentials>();
}

std::shared_ptr<ServerCredentials> InsecureServerCredentials() {
  return std::make_shared<LocalServerPortCredentials>();
}

std::shared_ptr<ChannelCredentials> CompositeChannelCredentials(
    const std::shared_ptr<ChannelCredentials>& channel_credentials,
    const std::shared_ptr<CallCredentials>& call_credentials) {
  if (channel_credentials == nullptr || call_credentials == nullptr) {
    return nullptr;
  }
  return std::make_shared<LocalChannelCredentials>(
      channel_credentials->unusable().empty()
          ? call_credentials->unusable()
          : channel_credentials->unusable());
}

std::shared_ptr<CallCredentials> CompositeCallCredentials(
    const std::shared_ptr<CallCredentials>& first,
    const std::shared_ptr<CallCredentials>& second) {
  if (first == nullptr || second == nullptr) return nullptr;
  return std::make_shared<LocalCallCredentials>(
      first->unusable().empty() ? second->unusable() : first->unusable());
}

std::shared_ptr<ChannelCredentials> SslCredentials(
    const SslCredentialsOptions&) {
  return NetworkChannel("SslCredentials", "TLS");
}

std::shared_ptr<ServerCredentials> SslServerCredentials(
    const SslServerCredentialsOptions&) {
  return NetworkServer("SslServerCredentials", "TLS");
}

std::shared_ptr<ChannelCredentials> GoogleDefaultCredentials() {
  return NetworkChannel("GoogleDefaultCredentials", "Google");
}

std::shared_ptr<CallCredentials> GoogleComputeEngineCredentials() {
  return NetworkCall("GoogleComputeEngineCredentials");
}

std::shared_ptr<CallCredentials> ServiceAccountJWTAccessCredentials(
    const std::string&, long) {
  return NetworkCall("ServiceAccountJWTAccessCredentials");
}

std::shared_ptr<CallCredentials> GoogleRefreshTokenCredentials(
    const std::string&) {
  return NetworkCall("GoogleRefreshTokenCredentials");
}

std::shared_ptr<CallCredentials> AccessTokenCredentials(const std::string&) {
  return NetworkCall("AccessTokenCredentials");
}

std::shared_ptr<CallCredentials> GoogleIAMCredentials(const std::string&,
                                                      const std::string&) {
  return NetworkCall("GoogleIAMCredentials");
}

std::shared_ptr<CallCredentials> ExternalAccountCredentials(
    const std::string&, const std::vector<std::string>&) {
  return NetworkCall("ExternalAccountCredentials");
}

namespace experimental {

std::shared_ptr<ChannelCredentials> LocalCredentials(grpc_local_connect_type) {
  return InsecureChannelCredentials();
}

std::shared_ptr<ServerCredentials> LocalServerCredentials(
    grpc_local_connect_type) {
  return InsecureServerCredentials();
}

std::shared_ptr<ChannelCredentials> AltsCredentials(
    const AltsCredentialsOptions&) {
  return NetworkChannel("AltsCredentials", "Google");
}

std::shared_ptr<ServerCredentials> AltsServerCredentials(
    const AltsServerCredentialsOptions&) {
  return NetworkServer("AltsServerCredentials", "Google");
}

}  // namespace experimental
}  // namespace shmrpc
