#include "tests/support/client.h"

namespace shmrpc {
namespace testing {

std::shared_ptr<Channel> NewChannel(const std::string& target) {
  ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return CreateCustomChannel(target, InsecureChannelCredentials(), arguments);
}

::testing::AssertionResult Is(const Status& status, int code,
                              const std::string& message) {
  if (status.error_code() == static_cast<StatusCode>(code) &&
      status.error_message() == message) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << "status is " << status.error_code() << " " << status << ", not "
         << code << " \"" << message << "\"";
}

::testing::AssertionResult IsOk(const Status& status) {
  return Is(status, OK, "");
}

std::chrono::system_clock::time_point FromNow(
    std::chrono::system_clock::duration distance) {
  return std::chrono::system_clock::now() + distance;
}

Status Echo(EchoService::Stub* stub, const EchoRequest& request,
            EchoReply* reply) {
  ClientContext context;
  return stub->Echo(&context, request, reply);
}

::testing::AssertionResult EchoesBack(EchoService::Stub* stub,
                                      const std::string& payload) {
  EchoRequest request;
  request.set_payload(payload);
  EchoReply reply;
  const Status status = Echo(stub, request, &reply);
  if (!status.ok()) return IsOk(status) << ", " << payload.size() << " bytes";
  if (reply.payload() == payload) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << payload.size() << " bytes came back as " << reply.payload().size()
         << " others";
}

void OpenGate(Probe::Stub* stub, const std::string& gate) {
  ClientContext context;
  Gate request;
  request.set_name(gate);
  google::protobuf::Empty reply;
  EXPECT_TRUE(IsOk(stub->OpenGate(&context, request, &reply)));
}

GateCounts AwaitGate(Probe::Stub* stub, const std::string& gate,
                     int64_t started, int64_t cancelled, int64_t ended) {
  ClientContext context;
  AwaitRequest request;
  request.set_gate(gate);
  request.set_started(started);
  request.set_cancelled(cancelled);
  request.set_ended(ended);
  GateCounts counts;
  EXPECT_TRUE(IsOk(stub->Await(&context, request, &counts)));
  return counts;
}

}  // namespace testing
}  // namespace shmrpc
