// Calls no handler answers as it should: nobody implements the method, the
// bytes make no message, the handler throws.

#include <string>

#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/generated.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

using google::protobuf::Empty;
using google::protobuf::MessageLite;

class Unserved : public ::testing::Test {
 protected:
  Unserved()
      : channel_(NewChannel(server_.target())),
        echo_(EchoService::NewStub(channel_)),
        probe_(Probe::NewStub(channel_)) {}

  // What a stub of another schema would send. `name` lives as long as the
  // program.
  Status Call(const char* name, const MessageLite& request,
              MessageLite* response) {
    const internal::RpcMethod method(name);
    ClientContext context;
    return channel_->BlockingUnaryCall(method, &context, request, response);
  }

  void ExpectStillServing() {
    EXPECT_TRUE(EchoesBack(echo_.get(), "still serving"));
  }

  ServerProcess server_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<EchoService::Stub> echo_;
  std::unique_ptr<Probe::Stub> probe_;
};

// A message whose only field, number 1, is `payload` as the server knows it.
EchoRequest WithPayload(const std::string& payload) {
  EchoRequest request;
  request.set_payload(payload);
  return request;
}

TEST_F(Unserved, MethodNotOverriddenIsUnimplemented) {
  ClientContext context;
  Empty reply;
  EXPECT_TRUE(Is(probe_->NeverImplemented(&context, Empty(), &reply),
                 UNIMPLEMENTED, ""));
  ExpectStillServing();
}

TEST_F(Unserved, UnknownMethodIsUnimplemented) {
  Empty reply;
  EXPECT_TRUE(Is(Call("/shmrpc.testing.EchoService/Unheard", Empty(), &reply),
                 UNIMPLEMENTED, ""));
  EXPECT_TRUE(Is(Call("/shmrpc.testing.EchoService/", Empty(), &reply),
                 UNIMPLEMENTED, ""));
  ExpectStillServing();
}

TEST_F(Unserved, UnknownServiceIsUnimplemented) {
  Empty reply;
  EXPECT_TRUE(
      Is(Call("/some.other.Service/Echo", Empty(), &reply), UNIMPLEMENTED, ""));
  EXPECT_TRUE(Is(Call("", Empty(), &reply), UNIMPLEMENTED, ""));
  ExpectStillServing();
}

TEST_F(Unserved, UnknownMethodWithLargeRequestsIsUnimplemented) {
  const EchoRequest request = WithPayload(Pattern(300000, 1));
  for (int i = 0; i < 100; ++i) {
    EchoReply reply;
    reply.set_text("untouched");
    ASSERT_TRUE(Is(Call("/some.other.Service/Echo", request, &reply),
                   UNIMPLEMENTED, ""));
    ASSERT_EQ(reply.text(), "untouched");
  }
  ExpectStillServing();
}

TEST_F(Unserved, ManyMethodNamesAreAllUnimplemented) {
  static std::string names[1000];  // RpcMethod keeps a pointer
  for (int i = 0; i < 1000; ++i) {
    names[i] = "/some.other.Service/Method" + std::to_string(i);
    Empty reply;
    ASSERT_TRUE(Is(Call(names[i].c_str(), Empty(), &reply), UNIMPLEMENTED, ""));
  }
  ExpectStillServing();
}

TEST_F(Unserved, UnparseableRequestIsInternal) {
  // Field 2 of EchoRequest is a string, and these bytes are not UTF-8.
  FailRequest junk;
  junk.set_message("\xff\xfe");
  EchoReply reply;
  reply.set_text("untouched");
  EXPECT_TRUE(
      Is(Call("/shmrpc.testing.EchoService/Echo", junk, &reply), INTERNAL, ""));
  EXPECT_EQ(reply.text(), "untouched");
  ExpectStillServing();
}

TEST_F(Unserved, LargeUnparseableRequestIsInternal) {
  FailRequest junk;
  junk.set_message("\xff" + Pattern(200000, 3));  // field 2, a string there
  for (int i = 0; i < 100; ++i) {
    EchoReply reply;
    ASSERT_TRUE(Is(Call("/shmrpc.testing.EchoService/Echo", junk, &reply),
                   INTERNAL, ""));
  }
  ExpectStillServing();
}

TEST_F(Unserved, UnparseableResponseIsUnimplemented) {
  // The server sends FailReply.payload, which the client reads as a string.
  for (size_t size : {size_t{10}, size_t{100000}}) {
    HoldRequest hold;
    hold.set_gate("open");
    hold.set_payload("\xff" + std::string(size, 'x'));
    OpenGate(probe_.get(), "open");
    Gate text;  // field 1 is a string
    EXPECT_TRUE(Is(Call("/shmrpc.testing.Probe/Hold", hold, &text),
                   UNIMPLEMENTED, "No message returned for unary request"));
  }
  ExpectStillServing();
}

TEST_F(Unserved, RequestOfAnotherTypeThatParsesIsServed) {
  // Unknown fields are no error: field 1 of both is bytes.
  DigestRequest request;
  request.set_payload("field 1");
  EchoReply reply;
  EXPECT_TRUE(IsOk(Call("/shmrpc.testing.EchoService/Echo", request, &reply)));
  EXPECT_EQ(reply.payload(), "field 1");
}

TEST_F(Unserved, HandlerThatThrowsIsUnknown) {
  for (bool an_int : {false, true}) {
    ThrowRequest request;
    request.set_an_int(an_int);
    ClientContext context;
    Empty reply;
    EXPECT_TRUE(Is(probe_->Throw(&context, request, &reply), UNKNOWN,
                   "Unexpected error in RPC handling"));
  }
  ExpectStillServing();
}

TEST_F(Unserved, HandlerThatThrowsOftenIsUnknownEachTime) {
  // Fast enough for the polling thread itself to run it.
  for (int i = 0; i < 50; ++i) {
    ClientContext context;
    Empty reply;
    ASSERT_TRUE(Is(probe_->Throw(&context, ThrowRequest(), &reply), UNKNOWN,
                   "Unexpected error in RPC handling"));
  }
  ExpectStillServing();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
