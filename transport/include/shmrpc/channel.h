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
// anew, at once, however often that has failed before. Only GetState(true) and
// calls that wait for ready make the channel try by itself, with growing pauses
// (channel_arguments.h), until it is connected or nobody waits any more.
//
// Thread rule: a channel serves any number of threads at once. Ownership: stubs
// and streams share it; the connection closes with the last of them. After
// fork() a child's calls on the parent's channels return UNAVAILABLE.

#ifndef SHMRPC_CHANNEL_H_
#define SHMRPC_CHANNEL_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "shmrpc/channel_arguments.h"
#include "shmrpc/connectivity_state.h"
#include "shmrpc/credentials.h"
#include "shmrpc/status.h"
#include "shmrpc/time.h"

namespace google {
namespace protobuf {
class MessageLite;
}  // namespace protobuf
}  // namespace google

namespace shmrpc {

class ClientContext;
namespace internal {
class ClientStream;
class RpcMethod;
}  // namespace internal

// What a stub calls through.
class ChannelInterface {
 public:
  virtual ~ChannelInterface() = default;

  // The state now. With `try_to_connect`, if it is not GRPC_CHANNEL_READY:
  // starts connecting, and goes on trying until it succeeds. The death of a
  // server's process shows at once; that a living one closed the connection, by
  // the next look. A channel on which no call can succeed (bad target,
  // credentials that are null or unusable) is in GRPC_CHANNEL_TRANSIENT_FAILURE
  // for ever, as in gRPC; a parent's channel in a forked child in
  // GRPC_CHANNEL_SHUTDOWN.
  virtual grpc_connectivity_state GetState(bool try_to_connect) = 0;

  // True as soon as the state is another one than `last_observed`, or has been
  // since this was called; false if that has not happened by the deadline.
  // While it waits in GRPC_CHANNEL_READY it looks at the connection each 100
  // ms. T: as ClientContext::set_deadline.
  template <typename T>
  bool WaitForStateChange(grpc_connectivity_state last_observed, T deadline) {
    return WaitForStateChangeImpl(last_observed,
                                  internal::DeadlineNs(deadline));
  }

  // Connects. False if that has not succeeded by the deadline, or never can.
  template <typename T>
  bool WaitForConnected(T deadline) {
    // Once: a time span begins now.
    const int64_t deadline_ns = internal::DeadlineNs(deadline);
    grpc_connectivity_state state;
    while ((state = GetState(true)) != GRPC_CHANNEL_READY) {
      if (state == GRPC_CHANNEL_SHUTDOWN) return false;
      if (!WaitForStateChangeImpl(state, deadline_ns)) return false;
    }
    return true;
  }

  // One unary call, blocking. For generated code.
  virtual Status BlockingUnaryCall(const internal::RpcMethod& method,
                                   ClientContext* context,
                                   const google::protobuf::MessageLite& request,
                                   google::protobuf::MessageLite* response) = 0;

  // Starts any other call. For generated code. `request`: the only message of a
  // client that does not stream, otherwise null. `response`: where the only
  // message of a server that does not stream goes when Finish returns OK,
  // otherwise null; it outlives the stream. Never null: what went wrong, Finish
  // says.
  virtual std::unique_ptr<internal::ClientStream> StartStream(
      const internal::RpcMethod& method, ClientContext* context,
      const google::protobuf::MessageLite* request,
      google::protobuf::MessageLite* response) = 0;

 private:
  virtual bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                                      int64_t deadline_ns) = 0;
};

class Channel : public ChannelInterface {
 public:
  // A local channel has one server and no configuration of services.
  std::string GetLoadBalancingPolicyName() const { return "pick_first"; }
  std::string GetServiceConfigJSON() const { return "{}"; }
};

// Null credentials give a channel whose every call ends with INVALID_ARGUMENT,
// "Invalid credentials."; those for networks (credentials.h), one whose calls
// end with the same code and their explanation.
std::shared_ptr<Channel> CreateChannel(
    const std::string& target,
    const std::shared_ptr<ChannelCredentials>& credentials);

std::shared_ptr<Channel> CreateCustomChannel(
    const std::string& target,
    const std::shared_ptr<ChannelCredentials>& credentials,
    const ChannelArguments& arguments);

}  // namespace shmrpc

#endif  // SHMRPC_CHANNEL_H_
