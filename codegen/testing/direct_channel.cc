#include "codegen/testing/direct_channel.h"

#include <deque>
#include <utility>

#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace testing {
namespace {

using google::protobuf::MessageLite;

// Messages cross as bytes, as they would between processes.
using Messages = std::deque<std::string>;

bool TakeFirst(Messages* messages, MessageLite* message) {
  if (messages->empty()) return false;
  const bool parsed = message->ParsePartialFromString(messages->front());
  messages->pop_front();
  return parsed;
}

// A call as its handler sees it.
class HandlerStream final : public internal::ServerStream {
 public:
  HandlerStream(Messages* up, Messages* down) : up_(up), down_(down) {}

  void SendInitialMetadata() override {}
  bool NextMessageSize(uint32_t* size_bytes) override {
    if (up_->empty()) return false;
    *size_bytes = static_cast<uint32_t>(up_->front().size());
    return true;
  }
  bool Read(MessageLite* message) override { return TakeFirst(up_, message); }
  bool Write(const MessageLite& message, WriteOptions options) override {
    down_->push_back(message.SerializePartialAsString());
    return true;
  }

 private:
  Messages* const up_;
  Messages* const down_;
};

// A call as its client sees it.
class DirectStream final : public internal::ClientStream {
 public:
  // A null handler: nothing serves the method.
  DirectStream(const internal::MethodHandler* handler,
               const MessageLite* request, MessageLite* response)
      : handler_(handler), response_(response) {
    if (request != nullptr) up_.push_back(request->SerializePartialAsString());
  }

  void WaitForInitialMetadata() override { RunOnce(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    RunOnce();
    if (down_.empty()) return false;
    *size_bytes = static_cast<uint32_t>(down_.front().size());
    return true;
  }
  bool Read(MessageLite* message) override {
    RunOnce();
    return TakeFirst(&down_, message);
  }
  bool Write(const MessageLite& message, WriteOptions options) override {
    if (ran_ || half_closed_) return false;
    up_.push_back(message.SerializePartialAsString());
    half_closed_ = options.is_last_message();
    return true;
  }
  bool WritesDone() override {
    half_closed_ = true;
    return true;
  }
  Status Finish() override {
    RunOnce();
    if (response_ != nullptr && status_.ok()) TakeFirst(&down_, response_);
    return status_;
  }

 private:
  void RunOnce() {
    if (std::exchange(ran_, true)) return;
    if (handler_ == nullptr) {
      status_ = Status(StatusCode::NOT_FOUND, "");
      return;
    }
    const std::unique_ptr<MessageLite> request(handler_->NewRequest());
    const std::unique_ptr<MessageLite> response(handler_->NewResponse());
    if (request != nullptr) {
      ASSERT_TRUE(TakeFirst(&up_, request.get())) << "no request";
    }
    const bool is_unary = request != nullptr && response != nullptr;
    HandlerStream stream(&up_, &down_);
    ServerContext context;
    status_ = handler_->Run(&context, request.get(), response.get(),
                            is_unary ? nullptr : &stream);
    if (response != nullptr) {
      down_.push_back(response->SerializePartialAsString());
    }
  }

  const internal::MethodHandler* const handler_;
  MessageLite* const response_;
  Messages up_;
  Messages down_;
  bool half_closed_ = false;
  bool ran_ = false;
  Status status_;
};

}  // namespace

grpc_connectivity_state DirectChannel::GetState(bool /*try_to_connect*/) {
  return GRPC_CHANNEL_READY;
}

bool DirectChannel::WaitForStateChangeImpl(
    grpc_connectivity_state /*last_observed*/, int64_t /*deadline_ns*/) {
  return false;
}

Status DirectChannel::BlockingUnaryCall(const internal::RpcMethod& method,
                                        ClientContext* context,
                                        const MessageLite& request,
                                        MessageLite* response) {
  return StartStream(method, context, &request, response)->Finish();
}

std::unique_ptr<internal::ClientStream> DirectChannel::StartStream(
    const internal::RpcMethod& method, ClientContext* context,
    const MessageLite* request, MessageLite* response) {
  last_call_ = {method.name(), context, request, response};
  const internal::MethodHandler* found = nullptr;
  for (const auto& handler : service_->methods()) {
    if (last_call_.method == handler->name()) found = handler.get();
  }
  return std::make_unique<DirectStream>(found, request, response);
}

std::vector<std::string> NamesOf(const Service& service) {
  std::vector<std::string> names;
  for (const auto& handler : service.methods()) {
    names.push_back(handler->name());
  }
  return names;
}

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc
