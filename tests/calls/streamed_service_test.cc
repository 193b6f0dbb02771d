// Unary and server-streaming methods that a service serves as streams of its
// own, and answers to unary calls that are none or too many.

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr char kNoMessage[] = "No message returned for unary request";

// Unary: reads, then answers as the request says; ServerStream: the request's
// length many messages.
class StreamedScripted final
    : public Scripted::WithStreamedUnaryMethod_Unary<
          Scripted::WithSplitStreamingMethod_ServerStream<Scripted::Service>> {
 public:
  Status StreamedUnary(ServerContext*,
                       ServerUnaryStreamer<Item, Item>* streamer) override {
    Item item;
    EXPECT_FALSE(streamer->Write(ItemOf(1)));  // before it has read
    uint32_t size_bytes = 0;
    EXPECT_TRUE(streamer->NextMessageSize(&size_bytes));
    EXPECT_TRUE(streamer->Read(&item));
    EXPECT_GE(size_bytes, item.ByteSizeLong());
    EXPECT_FALSE(streamer->Read(&item));
    if (item.payload() == "none") return Status::OK;
    if (item.payload() == "error") return Status(ABORTED, "as asked");
    EXPECT_TRUE(streamer->Write(item));
    EXPECT_FALSE(streamer->Write(item));
    if (item.payload() == "then error") return Status(ABORTED, "as asked");
    return Status::OK;
  }

  Status StreamedServerStream(
      ServerContext*, ServerSplitStreamer<Item, Item>* streamer) override {
    Item item;
    EXPECT_FALSE(streamer->Write(ItemOf(1)));
    EXPECT_TRUE(streamer->Read(&item));
    EXPECT_FALSE(streamer->Read(&item));
    for (size_t i = 0; i < item.payload().size(); ++i) {
      EXPECT_TRUE(streamer->Write(ItemOf(i * 1000, i)));
    }
    return Status::OK;
  }
};

// Answers calls of Unary with two messages, as no generated service could.
class TwiceService final : public Service {
 public:
  TwiceService() {
    AddMethod(internal::MakeMethodHandler("/shmrpc.testing.Scripted/Unary",
                                          &TwiceService::Answer, this));
    AddMethod(internal::MakeMethodHandler(
        "/shmrpc.testing.Scripted/ClientStream", &TwiceService::Answer, this));
  }

 private:
  Status Answer(ServerContext*, ServerReaderWriter<Item, Item>* stream) {
    Item item;
    while (stream->Read(&item)) {
    }
    stream->Write(ItemOf(10));
    stream->Write(ItemOf(20));
    return Status::OK;
  }
};

class InThisProcess : public ::testing::Test {
 protected:
  void Serve(Service* service) {
    const std::string target = NewTarget();
    ServerBuilder builder;
    builder.AddListeningPort(target, InsecureServerCredentials());
    builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    stub_ = Scripted::NewStub(NewChannel(target));
  }
  void TearDown() override {
    stub_.reset();
    server_.reset();
  }

  CallResult Call(CallKind kind, const std::string& payload) {
    ClientContext context;
    Item request;
    request.set_payload(payload);
    return MakeCall(stub_.get(), kind, &context, request);
  }

  Watchdog dog_{100};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Scripted::Stub> stub_;
};

TEST_F(InThisProcess, StreamedUnaryAnswersAsAUnaryCallWould) {
  StreamedScripted service;
  Serve(&service);
  for (const std::string& payload :
       {std::string(), std::string("small"), std::string(100000, 'l')}) {
    const CallResult result = Call(CallKind::kUnary, payload);
    EXPECT_TRUE(IsOk(result.status));
    EXPECT_EQ(result.response.payload(), payload);
  }
  CallResult result = Call(CallKind::kUnary, "error");
  EXPECT_TRUE(Is(result.status, ABORTED, "as asked"));
  EXPECT_EQ(result.response.payload(), "untouched");
  result = Call(CallKind::kUnary, "then error");
  EXPECT_TRUE(Is(result.status, ABORTED, "as asked"));
  EXPECT_EQ(result.response.payload(), "untouched");
}

TEST_F(InThisProcess, StreamedUnaryWithoutResponseIsUnimplemented) {
  StreamedScripted service;
  Serve(&service);
  for (int i = 0; i < 3; ++i) {
    const CallResult result = Call(CallKind::kUnary, "none");
    EXPECT_TRUE(Is(result.status, UNIMPLEMENTED, kNoMessage));
    EXPECT_EQ(result.response.payload(), "untouched");
  }
  EXPECT_TRUE(IsOk(Call(CallKind::kUnary, "x").status));
}

TEST_F(InThisProcess, TwoResponsesAreUnimplemented) {
  TwiceService service;
  Serve(&service);
  for (const CallKind kind : {CallKind::kUnary, CallKind::kClientStream}) {
    for (int i = 0; i < 3; ++i) {
      const CallResult result = Call(kind, "x");
      EXPECT_EQ(result.status.error_code(), UNIMPLEMENTED) << result.status;
      EXPECT_EQ(result.response.payload(), "untouched");
    }
  }
}

TEST_F(InThisProcess, SplitStreamingAnswersAsAServerStreamWould) {
  StreamedScripted service;
  Serve(&service);
  const CallResult result = Call(CallKind::kServerStream, "12345");
  EXPECT_TRUE(IsOk(result.status));
  ASSERT_EQ(result.messages.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(IsItemOf(result.messages[i], i * 1000, i));
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
