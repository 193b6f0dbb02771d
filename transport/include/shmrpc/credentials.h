// Who may talk to whom. On one machine the operating system answers that: the
// shared objects of a server belong to its user, and no other user can open
// them. "Insecure" is gRPC's word for credentials without a handshake of their
// own; they are what local calls need.

#ifndef SHMRPC_CREDENTIALS_H_
#define SHMRPC_CREDENTIALS_H_

#include <memory>

namespace shmrpc {

class ChannelCredentials {
 public:
  virtual ~ChannelCredentials() = default;

 protected:
  ChannelCredentials() = default;
};

class ServerCredentials {
 public:
  virtual ~ServerCredentials() = default;

 protected:
  ServerCredentials() = default;
};

std::shared_ptr<ChannelCredentials> InsecureChannelCredentials();
std::shared_ptr<ServerCredentials> InsecureServerCredentials();

}  // namespace shmrpc

#endif  // SHMRPC_CREDENTIALS_H_
