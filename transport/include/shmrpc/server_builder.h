// Puts a server together.
//
//   GreeterImpl service;
//   shmrpc::ServerBuilder builder;
//   builder.AddListeningPort("shm:greeter",
//   shmrpc::InsecureServerCredentials()); builder.RegisterService(&service);
//   std::unique_ptr<shmrpc::Server> server = builder.BuildAndStart();
//   if (server == nullptr) return 1;  // the log says why
//   server->Wait();

#ifndef SHMRPC_SERVER_BUILDER_H_
#define SHMRPC_SERVER_BUILDER_H_

#include <memory>
#include <string>
#include <vector>

#include "shmrpc/channel_arguments.h"
#include "shmrpc/credentials.h"
#include "shmrpc/server.h"
#include "shmrpc/service.h"

namespace shmrpc {

class ServerBuilder {
 public:
  // Serves under a name: "shm:NAME" or "shm:global/NAME" (see channel.h).
  // `selected_port`, if given, is set to 1 when the server has started and left
  // alone otherwise: shared memory has names, not ports.
  ServerBuilder& AddListeningPort(
      const std::string& address,
      const std::shared_ptr<ServerCredentials>& credentials,
      int* selected_port = nullptr);

  // The service is not owned; it must outlive the server.
  ServerBuilder& RegisterService(Service* service);

  // Longest request accepted, in bytes; -1: no limit. Default 4 MiB.
  ServerBuilder& SetMaxReceiveMessageSize(int size_bytes);
  // Longest response sent. Default: no limit.
  ServerBuilder& SetMaxSendMessageSize(int size_bytes);

  // Null, with an error in the log that says which, if there is no port, a
  // port's credentials are null or for networks (credentials.h), an
  // address is malformed or held by a living server, a service is null or was
  // registered twice, or the system refuses the memory.
  std::unique_ptr<Server> BuildAndStart();

 private:
  struct Port {
    std::string address;
    std::shared_ptr<ServerCredentials> credentials;
    int* selected_port;
  };
  std::vector<Port> ports_;
  std::vector<Service*> services_;
  int max_receive_ = kDefaultMaxReceiveMessageBytes;
  int max_send_ = kDefaultMaxSendMessageBytes;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVER_BUILDER_H_
