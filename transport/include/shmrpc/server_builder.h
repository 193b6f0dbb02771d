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

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shmrpc/channel_arguments.h"
#include "shmrpc/client_quota.h"
#include "shmrpc/compression.h"
#include "shmrpc/credentials.h"
#include "shmrpc/named_object.h"
#include "shmrpc/resource_quota.h"
#include "shmrpc/server.h"
#include "shmrpc/service.h"

namespace shmrpc {

class ServerBuilder {
 public:
  // Serves under a name: "shm:NAME" or "shm:global/NAME" (see channel.h). Each
  // call adds one; all of them lead to the same server.
  // `selected_port`, if given, is set to 1 when the server has started and left
  // alone otherwise: shared memory has names, not ports.
  ServerBuilder& AddListeningPort(
      const std::string& address,
      const std::shared_ptr<ServerCredentials>& credentials,
      int* selected_port = nullptr);

  // The service is not owned; it must outlive the server.
  ServerBuilder& RegisterService(Service* service);
  // gRPC's service of one authority. Nothing on this machine sends an
  // authority, so it is served for every call.
  ServerBuilder& RegisterService(const std::string& host, Service* service);

  // Longest message accepted, in bytes; -1: no limit. Default 4 MiB.
  ServerBuilder& SetMaxReceiveMessageSize(int size_bytes);
  // gRPC's older name of the same.
  ServerBuilder& SetMaxMessageSize(int size_bytes) {
    return SetMaxReceiveMessageSize(size_bytes);
  }
  // Longest message sent. Default: no limit.
  ServerBuilder& SetMaxSendMessageSize(int size_bytes);

  // Threads that run handlers; one more polls, always. A stream's handler has a
  // thread until it returns. A call that finds none left ends with
  // RESOURCE_EXHAUSTED, "Server Threadpool Exhausted". At least 1. Default
  // 1024. Threads start as they are needed and end when they no longer are. Not
  // in gRPC.
  ServerBuilder& SetMaxThreads(int max_threads);

  // What each client may take; see client_quota.h. Not in gRPC.
  ServerBuilder& SetClientQuota(const ClientQuota& quota);
  // Channels of all clients together that are connected at once; one more is
  // refused as it connects. -1: no limit. Default 4096. Not in gRPC.
  ServerBuilder& SetMaxConnections(int max_connections);
  // What all clients together may take; see resource_quota.h.
  ServerBuilder& SetResourceQuota(const ResourceQuota& resource_quota);

  // Copies each message into private memory before protobuf parses it, so that
  // a client which changes it meanwhile gains nothing. Off, messages of this
  // user's own processes are parsed where they lie, which is faster; those of
  // other users' are always copied. Default: off. Not in gRPC; why and what it
  // costs: docs/decisions/0015-copy-before-parse.md.
  ServerBuilder& SetCopyBeforeParse(bool copy);

  // Who may connect besides the server's own user, who always may. Linux: a
  // mode that lets others read and write, 0666, or the group alone, 0660 with
  // `group_id`. Windows: SDDL whose entries give others GRGWGX, as in
  // "D:P(A;;GA;;;OW)(A;;GRGWGX;;;BU)" for all users; the owner is the server's
  // user unless it says otherwise. Handlers learn who calls from
  // ServerContext::auth_context(); a client of another user has to accept the
  // server's (SHMRPC_ARG_SERVER_USER). Such clients' connections are open to
  // the two users and nobody else, and their messages are copied before they
  // are parsed. Such a server wakes each second though nobody calls.
  // docs/threat_model.md says what holds between them. Default: the server's
  // user alone. Not in gRPC.
  ServerBuilder& SetAccess(const AccessControl& access);

  // gRPC's settings of its synchronous server. Kept, and without effect: a
  // server here has no completion queues, and one thread polls.
  enum SyncServerOption { NUM_CQS, MIN_POLLERS, MAX_POLLERS, CQ_TIMEOUT_MSEC };
  ServerBuilder& SetSyncServerOption(SyncServerOption option, int value);

  // The same for compression: local messages are never compressed.
  ServerBuilder& SetCompressionAlgorithmSupportStatus(
      grpc_compression_algorithm algorithm, bool enabled);
  ServerBuilder& SetDefaultCompressionLevel(grpc_compression_level level);
  ServerBuilder& SetDefaultCompressionAlgorithm(
      grpc_compression_algorithm algorithm);

  // "grpc.max_receive_message_length" and "grpc.max_send_message_length" are
  // the two sizes above; other keys are ignored. The last setting of a size
  // counts.
  ServerBuilder& AddChannelArgument(const std::string& key, int value);
  ServerBuilder& AddChannelArgument(const std::string& key,
                                    const std::string& value);

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
  int max_threads_ = 1024;
  ClientQuota client_quota_;
  int max_connections_ = 4096;
  ResourceQuota resource_quota_;
  bool copy_before_parse_ = false;
  AccessControl access_;
  std::map<SyncServerOption, int> sync_options_;
  std::map<grpc_compression_algorithm, bool> compression_support_;
  grpc_compression_level compression_level_ = GRPC_COMPRESS_LEVEL_NONE;
  grpc_compression_algorithm compression_algorithm_ = GRPC_COMPRESS_NONE;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVER_BUILDER_H_
