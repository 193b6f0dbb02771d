// The unary cases of gRPC's interoperability tests, under their names and with
// their numbers (interop-test-descriptions.md of the gRPC documentation), on
// our own service.

#include <chrono>
#include <memory>
#include <string>

#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/generated.h"
#include "tests/support/client.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

using google::protobuf::Empty;

class interop : public ::testing::Test {
 protected:
  interop()
      : channel_(CreateChannel(server_.target(), InsecureChannelCredentials())),
        stub_(EchoService::NewStub(channel_)) {}

  Status CallEmpty(const char* method_name) {
    const internal::RpcMethod method(method_name);
    ClientContext context;
    Empty reply;
    return channel_->BlockingUnaryCall(method, &context, Empty(), &reply);
  }

  ServerProcess server_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<EchoService::Stub> stub_;
};

TEST_F(interop, empty_unary) {
  ClientContext context;
  Empty reply;
  EXPECT_TRUE(IsOk(stub_->Empty(&context, Empty(), &reply)));
  EXPECT_EQ(reply.ByteSizeLong(), 0u);
}

TEST_F(interop, large_unary) {
  EchoRequest request;
  request.set_payload(std::string(271828, '\0'));
  request.set_reply_size_bytes(314159);
  EchoReply reply;
  EXPECT_TRUE(IsOk(Echo(stub_.get(), request, &reply)));
  EXPECT_TRUE(reply.payload() == std::string(314159, '\0'));
}

TEST_F(interop, status_code_and_message) {
  EchoRequest request;
  request.set_status_code(2);
  request.set_status_message("test status message");
  EchoReply reply;
  EXPECT_TRUE(
      Is(Echo(stub_.get(), request, &reply), UNKNOWN, "test status message"));
}

TEST_F(interop, special_status_message) {
  const std::string message =
      "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
      "\xf0\x9f\x98\x88\t\n";
  EchoRequest request;
  request.set_status_code(2);
  request.set_status_message(message);
  EchoReply reply;
  EXPECT_TRUE(Is(Echo(stub_.get(), request, &reply), UNKNOWN, message));
}

TEST_F(interop, unimplemented_method) {
  EXPECT_TRUE(Is(CallEmpty("/shmrpc.testing.EchoService/UnimplementedCall"),
                 UNIMPLEMENTED, ""));
}

TEST_F(interop, unimplemented_service) {
  EXPECT_TRUE(
      Is(CallEmpty("/shmrpc.testing.UnimplementedService/UnimplementedCall"),
         UNIMPLEMENTED, ""));
}

TEST_F(interop, timeout_on_sleeping_server) {
  EchoRequest request;
  request.set_payload(std::string(27182, '\0'));
  request.set_sleep_ms(1000000);
  request.set_stop_when_cancelled(true);
  ClientContext context;
  context.set_deadline(FromNow(std::chrono::milliseconds(1)));
  EchoReply reply;
  EXPECT_TRUE(Is(stub_->Echo(&context, request, &reply), DEADLINE_EXCEEDED,
                 "Deadline Exceeded"));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
