// A channel: the client's end of calls to one server.
//
//   auto channel = shmrpc::CreateChannel("shm:greeter",
//                                        shmrpc::InsecureChannelCredentials());
//   auto stub = Greeter::NewStub(channel);
//
// Targets: "shm:NAME" names a server of this session, "shm:global/NAME" one
// that serves all sessions of the machine. NAME is 1 to 64 of [A-Za-z0-9._-]
// and does not start with a dot.
//
// CreateChannel does not connect; the first call does, and reports what is
// wrong (no server, a bad target) in its status, as gRPC's does. When a server
// dies the calls in flight end with UNAVAILABLE and the next call connects
// anew.
//
// Thread rule: a channel serves any number of threads at once. Ownership: stubs
// share it; the connection closes with the last of them. After fork() a child's
// calls on the parent's channels return UNAVAILABLE.

#ifndef SHMRPC_CHANNEL_H_
#define SHMRPC_CHANNEL_H_

#include <memory>
#include <string>

#include "shmrpc/channel_arguments.h"
#include "shmrpc/credentials.h"
#include "shmrpc/status.h"

namespace google {
namespace protobuf {
class MessageLite;
}  // namespace protobuf
}  // namespace google

namespace shmrpc {

class ClientContext;
namespace internal {
class RpcMethod;
}  // namespace internal

// What a stub calls through.
class ChannelInterface {
 public:
  virtual ~ChannelInterface() = default;

  // One unary call, blocking. For generated code.
  virtual Status BlockingUnaryCall(const internal::RpcMethod& method,
                                   ClientContext* context,
                                   const google::protobuf::MessageLite& request,
                                   google::protobuf::MessageLite* response) = 0;
};

class Channel : public ChannelInterface {};

// Null credentials give a channel whose every call ends with INVALID_ARGUMENT,
// "Invalid credentials.".
std::shared_ptr<Channel> CreateChannel(
    const std::string& target,
    const std::shared_ptr<ChannelCredentials>& credentials);

std::shared_ptr<Channel> CreateCustomChannel(
    const std::string& target,
    const std::shared_ptr<ChannelCredentials>& credentials,
    const ChannelArguments& arguments);

}  // namespace shmrpc

#endif  // SHMRPC_CHANNEL_H_
