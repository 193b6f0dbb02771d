// Who may talk to whom. On one machine the operating system answers that: the
// shared objects of a server belong to its user, and no other user can open
// them. "Insecure" is gRPC's word for credentials without a handshake of their
// own; they are what local calls need, and so are gRPC's "local" ones.
//
// gRPC's other credentials are for networks. Their factories are here so that
// programs compile, and what they make fails clearly instead of pretending: a
// channel's calls end with INVALID_ARGUMENT, BuildAndStart returns null, and
// the text says what to use.
//
// Thread rule: immutable; share them freely.

#ifndef SHMRPC_CREDENTIALS_H_
#define SHMRPC_CREDENTIALS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace shmrpc {

// gRPC's C types; see time.h for why they live here.
enum grpc_local_connect_type { UDS = 0, LOCAL_TCP };

enum grpc_ssl_client_certificate_request_type {
  GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
  GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY,
  GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY,
  GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY,
  GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
};

// What a client's channel connects with.
class ChannelCredentials {
 public:
  virtual ~ChannelCredentials() = default;

  // Why no local channel can be made with them; "" if one can.
  const std::string& unusable() const { return unusable_; }

 protected:
  ChannelCredentials() = default;
  explicit ChannelCredentials(std::string unusable)
      : unusable_(std::move(unusable)) {}

 private:
  const std::string unusable_;
};

// What a call adds to its channel's credentials. A local call sends none.
class CallCredentials {
 public:
  virtual ~CallCredentials() = default;

  // Why no local channel can be made with them; "" if one can.
  const std::string& unusable() const { return unusable_; }

 protected:
  explicit CallCredentials(std::string unusable)
      : unusable_(std::move(unusable)) {}

 private:
  const std::string unusable_;
};

// What a server's port listens with.
class ServerCredentials {
 public:
  virtual ~ServerCredentials() = default;

  // Why no local server can listen with them; "" if one can.
  const std::string& unusable() const { return unusable_; }

 protected:
  ServerCredentials() = default;
  explicit ServerCredentials(std::string unusable)
      : unusable_(std::move(unusable)) {}

 private:
  const std::string unusable_;
};

std::shared_ptr<ChannelCredentials> InsecureChannelCredentials();
std::shared_ptr<ServerCredentials> InsecureServerCredentials();

namespace experimental {

// As the insecure ones, whatever the type.
std::shared_ptr<ChannelCredentials> LocalCredentials(
    grpc_local_connect_type type);
std::shared_ptr<ServerCredentials> LocalServerCredentials(
    grpc_local_connect_type type);

}  // namespace experimental

// Both together: unusable if one of them is. Null if one of them is null.
std::shared_ptr<ChannelCredentials> CompositeChannelCredentials(
    const std::shared_ptr<ChannelCredentials>& channel_credentials,
    const std::shared_ptr<CallCredentials>& call_credentials);
std::shared_ptr<CallCredentials> CompositeCallCredentials(
    const std::shared_ptr<CallCredentials>& first,
    const std::shared_ptr<CallCredentials>& second);

// From here on: for networks, unusable.

struct SslCredentialsOptions {
  std::string pem_root_certs;
  std::string pem_private_key;
  std::string pem_cert_chain;
};

struct SslServerCredentialsOptions {
  SslServerCredentialsOptions() = default;
  explicit SslServerCredentialsOptions(
      grpc_ssl_client_certificate_request_type request_type)
      : client_certificate_request(request_type) {}

  struct PemKeyCertPair {
    std::string private_key;
    std::string cert_chain;
  };
  std::string pem_root_certs;
  std::vector<PemKeyCertPair> pem_key_cert_pairs;
  bool force_client_auth = false;
  grpc_ssl_client_certificate_request_type client_certificate_request =
      GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
};

constexpr long kMaxAuthTokenLifetimeSecs = 3600;

std::shared_ptr<ChannelCredentials> SslCredentials(
    const SslCredentialsOptions& options);
std::shared_ptr<ServerCredentials> SslServerCredentials(
    const SslServerCredentialsOptions& options);
std::shared_ptr<ChannelCredentials> GoogleDefaultCredentials();

std::shared_ptr<CallCredentials> GoogleComputeEngineCredentials();
std::shared_ptr<CallCredentials> ServiceAccountJWTAccessCredentials(
    const std::string& json_key,
    long token_lifetime_seconds = kMaxAuthTokenLifetimeSecs);
std::shared_ptr<CallCredentials> GoogleRefreshTokenCredentials(
    const std::string& json_refresh_token);
std::shared_ptr<CallCredentials> AccessTokenCredentials(
    const std::string& access_token);
std::shared_ptr<CallCredentials> GoogleIAMCredentials(
    const std::string& authorization_token,
    const std::string& authority_selector);
std::shared_ptr<CallCredentials> ExternalAccountCredentials(
    const std::string& json_string, const std::vector<std::string>& scopes);

namespace experimental {

struct AltsCredentialsOptions {
  std::vector<std::string> target_service_accounts;
};
struct AltsServerCredentialsOptions {};

std::shared_ptr<ChannelCredentials> AltsCredentials(
    const AltsCredentialsOptions& options);
std::shared_ptr<ServerCredentials> AltsServerCredentials(
    const AltsServerCredentialsOptions& options);

}  // namespace experimental
}  // namespace shmrpc

#endif  // SHMRPC_CREDENTIALS_H_
