// A client's connection against servers made by hand that misbehave.

#include "transport/rpc/client_connection.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "transport/link/accept.h"
#include "transport/link/lobby.h"
#include "transport/platform/event.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using memory::FrameHeader;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;

class BadServer : public ::testing::Test {
 protected:
  BadServer() {
    auto lobby = link::Lobby::Create({address_}, {});
    EXPECT_TRUE(lobby.ok()) << lobby.status();
    lobby_ = *std::move(lobby);
    acceptor_ = std::make_unique<link::Acceptor>(
        lobby_.get(), [this](link::Acceptor::Accepted a) {
          if (a.connection == nullptr) return absl::OkStatus();
          link_ = std::move(a.connection);
          accepted_.set_value();
          return absl::OkStatus();
        });
    auto client = ClientConnection::Connect(address_, platform::kNever);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    accepted_.get_future().wait();
  }

  // A call while `serve` runs on a thread of its own.
  Status Call(std::function<void()> serve,
              int64_t deadline_ns = kInfiniteFutureNs) {
    std::thread server(std::move(serve));
    static const RpcMethod method("/test.Service/Method");
    bool sent = false;
    const StringValue request;
    const Status status =
        client_->UnaryCall(method, deadline_ns, request, request.ByteSizeLong(),
                           &response_, -1, &sent);
    stop_ = true;
    server.join();
    EXPECT_TRUE(sent);
    return status;
  }

  // The id of the call that the client opens.
  uint32_t TakeOpen() {
    link::Frame frame;
    for (;;) {
      if (!link_->Next(&frame)) {
        std::this_thread::yield();
      } else if (frame.fields.kind == memory::kFrameOpen) {
        return frame.fields.call_id;
      }
    }
  }

  // Answers with `message` as it is.
  void Close(uint32_t call_id, uint32_t code, const std::string& metadata,
             const std::string& message, bool has_message = true) {
    link::OutgoingFrame close;
    close.kind = memory::kFrameClose;
    close.call_id = call_id;
    close.aux = code;
    close.metadata = metadata;
    close.has_message = has_message;
    close.message_bytes = message.size();
    EXPECT_TRUE(link_
                    ->Send(close,
                           [&](uint8_t* to) {
                             std::memcpy(to, message.data(), message.size());
                           })
                    .ok());
  }

  Watchdog dog_{120, "client connection"};
  const link::Address address_{platform::Scope::kLocal,
                               UniqueName("test.client")};
  std::unique_ptr<link::Lobby> lobby_;
  std::unique_ptr<link::Connection> link_;
  std::promise<void> accepted_;
  std::unique_ptr<link::Acceptor> acceptor_;
  std::shared_ptr<ClientConnection> client_;
  StringValue response_;
  std::atomic<bool> stop_{false};
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
    EXPECT_TRUE(client_->usable());
  }
}

TEST_F(BadServer, StatusThatMakesNoSenseIsInternal) {
  const Status status =
      Call([&] { Close(TakeOpen(), StatusCode::NOT_FOUND, "abc", "", false); });
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
}

TEST_F(BadServer, GarbageInTheRingIsUnavailable) {
  const Status status = Call([&] {
    TakeOpen();
    auto* header = reinterpret_cast<FrameHeader*>(
        reinterpret_cast<uint8_t*>(link_->page()) + memory::kPage +
        memory::kRingSizeBytes);
    header->size_kind_flags = 0xdeadbeefdeadbeef;
    link_->RingPeer();
  });
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("cannot stand"));
  EXPECT_FALSE(client_->usable());
}

TEST_F(BadServer, CloseWithoutAnAnswerIsUnavailable) {
  const Status status = Call([&] {
    TakeOpen();
    link_->Close();
  });
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_FALSE(client_->usable());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
