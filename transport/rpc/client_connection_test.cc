// A client's connection against servers made by hand that misbehave.

#include "transport/rpc/client_connection.h"

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "transport/link/metadata.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/status_wire.h"
#include "transport/rpc/testing/hand_made_server.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using memory::FrameHeader;
using ::shmrpc::testing::HandMadeServer;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;

class BadServer : public ::testing::Test {
 protected:
  // A unary call while `serve` runs on a thread of its own.
  Status Call(std::function<void()> serve) {
    std::thread server(std::move(serve));
    static const RpcMethod method("/test.Service/Method");
    ClientCall call(&response_, /*streams=*/false, CallOptions());
    const StringValue request;
    const absl::Status sent =
        client().Open(&call, method, "", &request, request.ByteSizeLong(),
                      /*last=*/true);
    EXPECT_TRUE(sent.ok()) << sent;
    client().AwaitEnd(&call);
    if (call.late_response != nullptr) client().ParseLateResponse(&call);
    server.join();
    return call.status;
  }

  // The id of the call that the client opens.
  uint32_t TakeOpen() {
    return server_.Take(memory::kFrameOpen).fields.call_id;
  }
  void Close(uint32_t call_id, uint32_t code, const std::string& metadata,
             const std::string& message, bool has_message = true) {
    server_.Close(call_id, code, metadata, message, has_message);
  }
  ClientConnection& client() { return *server_.client(); }

  Watchdog dog_{120, "client connection"};
  HandMadeServer server_;
  StringValue response_;
};

TEST_F(BadServer, HonestAnswerArrives) {
  const Status status = Call([&] {
    StringValue reply;
    reply.set_value("hello");
    Close(TakeOpen(), StatusCode::OK, "", reply.SerializeAsString());
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(response_.value(), "hello");
}

TEST_F(BadServer, AnswerWithoutAMessageIsUnimplemented) {
  const Status status =
      Call([&] { Close(TakeOpen(), StatusCode::OK, "", "", false); });
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "No message returned for unary request");
}

TEST_F(BadServer, AnswerThatDoesNotParseIsUnimplemented) {
  for (const std::string& message :
       {std::string("\x0a\x7f"), std::string(100000, '\x0b')}) {
    const Status status =
        Call([&] { Close(TakeOpen(), StatusCode::OK, "", message); });
    EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
    EXPECT_TRUE(client().usable());
  }
}

TEST_F(BadServer, AnswerInAMessageOfItsOwnArrives) {
  const Status status = Call([&] {
    const uint32_t id = TakeOpen();
    StringValue reply;
    reply.set_value("hello");
    server_.Message(id, reply.SerializeAsString());
    Close(id, StatusCode::OK, "", "", false);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(response_.value(), "hello");
}

TEST_F(BadServer, TwoAnswersAreUnimplemented) {
  const Status status = Call([&] {
    const uint32_t id = TakeOpen();
    server_.Message(id, "");
    server_.Message(id, "");
    Close(id, StatusCode::OK, "", "", false);
  });
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "More than one message returned for unary request");
}

TEST_F(BadServer, AnswerBeforeAnErrorLeavesTheResponseAlone) {
  response_.set_value("as it was");
  const Status status = Call([&] {
    const uint32_t id = TakeOpen();
    StringValue reply;
    reply.set_value("half-done");
    server_.Message(id, reply.SerializeAsString());
    Close(id, StatusCode::ABORTED, "", "", false);
  });
  EXPECT_EQ(status.error_code(), StatusCode::ABORTED);
  EXPECT_EQ(response_.value(), "as it was");
}

TEST_F(BadServer, StatusThatMakesNoSenseIsInternal) {
  const Status status =
      Call([&] { Close(TakeOpen(), StatusCode::NOT_FOUND, "abc", "", false); });
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
}

TEST_F(BadServer, CancelWhileTheCloseIsBeingReadIsNotLost) {
  static const RpcMethod method("/test.Service/Stream");
  // So much that reading it takes a while.
  std::string trailing;
  link::AppendMetadata("long-bin", std::string(15 << 20, 't'), &trailing);
  ClientCall stream(nullptr, /*streams=*/true, CallOptions());
  ASSERT_TRUE(client().Open(&stream, method, "", nullptr, 0, false).ok());
  // Another call's thread leads.
  std::thread leader([&] {
    const Status status = Call([&] {
      const uint32_t stream_id = TakeOpen();
      const uint32_t id = TakeOpen();
      server_.Message(stream_id, "unread");
      Close(stream_id, StatusCode::OK, trailing, "", false);
      Close(id, StatusCode::OK, "", "");
    });
    EXPECT_TRUE(status.ok()) << status.error_message();
  });
  while (stream.state == ClientCall::State::kOpen) {
  }
  client().End(&stream, Cancelled());
  client().AwaitEnd(&stream);
  EXPECT_EQ(stream.status.error_code(), StatusCode::CANCELLED);
  leader.join();
}

TEST_F(BadServer, GarbageInTheRingIsUnavailable) {
  const Status status = Call([&] {
    TakeOpen();
    auto* header = reinterpret_cast<FrameHeader*>(
        reinterpret_cast<uint8_t*>(server_.link().page()) + memory::kPage +
        memory::kRingSizeBytes);
    header->size_kind_flags = 0xdeadbeefdeadbeef;
    server_.link().RingPeer();
  });
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("cannot stand"));
  EXPECT_FALSE(client().usable());
}

TEST_F(BadServer, CloseWithoutAnAnswerIsUnavailable) {
  const Status status = Call([&] {
    TakeOpen();
    server_.link().Close();
  });
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_FALSE(client().usable());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
