// A channel that calls a service in place, in the client's thread: what a
// generated stub asks for reaches a generated service without a transport.
//
//   auto stub = Greeter::NewStub(std::make_shared<DirectChannel>(&service));
//
// A streaming call's handler runs when the client asks for something that only
// the server has (Read, Finish); by then the client must have written all that
// it wants to.

#ifndef CODEGEN_TESTING_DIRECT_CHANNEL_H_
#define CODEGEN_TESTING_DIRECT_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/message_lite.h"
#include "shmrpc/shmrpc.h"

namespace shmrpc {
namespace codegen {
namespace testing {

// Thread rule: one thread. The service must outlive the channel and its
// streams.
class DirectChannel final : public ChannelInterface {
 public:
  // What the stub handed over.
  struct Call {
    std::string method;
    const ClientContext* context = nullptr;
    const google::protobuf::MessageLite* request = nullptr;
    const google::protobuf::MessageLite* response = nullptr;
  };

  explicit DirectChannel(const Service* service) : service_(service) {}

  const Call& last_call() const { return last_call_; }

  grpc_connectivity_state GetState(bool try_to_connect) override;
  Status BlockingUnaryCall(const internal::RpcMethod& method,
                           ClientContext* context,
                           const google::protobuf::MessageLite& request,
                           google::protobuf::MessageLite* response) override;
  // A method that the service does not have ends with NOT_FOUND.
  std::unique_ptr<internal::ClientStream> StartStream(
      const internal::RpcMethod& method, ClientContext* context,
      const google::protobuf::MessageLite* request,
      google::protobuf::MessageLite* response) override;

 private:
  bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                              int64_t deadline_ns) override;

  const Service* const service_;
  Call last_call_;
};

// The methods a service has registered, in their order.
std::vector<std::string> NamesOf(const Service& service);

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_TESTING_DIRECT_CHANNEL_H_
