#include "transport/rpc/server_call.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "shmrpc/server_context.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/server_connection.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {

bool ServerContext::IsCancelled() const {
  return call_ != nullptr && call_->IsCancelled();
}

std::string ServerContext::peer() const {
  return call_ == nullptr ? "" : call_->connection()->peer();
}

namespace internal {
namespace {

// gRPC answers an unparseable request with this code and no text.
Status Unparseable() { return Status(StatusCode::INTERNAL, ""); }

// Messages that held more are not kept for the next call.
constexpr uint64_t kMaxKeptBytes = 1 << 20;

}  // namespace

void ServerCallState::Start(std::shared_ptr<ServerConnection> connection,
                            uint32_t call_id, int64_t deadline_ns) {
  connection_ = std::move(connection);
  call_id_ = call_id;
  deadline_ns_ = deadline_ns;
  cancelled_.store(false, std::memory_order_relaxed);
}

bool ServerCallState::Reset() {
  connection_.reset();
  status_ = Status();
  response_bytes_ = 0;
  block_view_.reset();
  returned_block_ = 0;
  if (request_ == nullptr || used_bytes_ > kMaxKeptBytes) return false;
  request_->Clear();
  response_->Clear();
  return true;
}

bool ServerCallState::IsCancelled() const {
  return cancelled_.load(std::memory_order_relaxed) ||
         (deadline_ns_ != kInfiniteFutureNs &&
          platform::MonotonicNowNs() >= deadline_ns_);
}

Status ServerCallState::TakeRequest(const link::Frame& frame,
                                    int max_receive_bytes) {
  if (frame.in_block()) returned_block_ = frame.block + 1;
  if (max_receive_bytes >= 0 &&
      frame.message_bytes > static_cast<uint64_t>(max_receive_bytes)) {
    return ReceivedTooLarge(frame.message_bytes, max_receive_bytes);
  }
  if (request_ == nullptr) {
    request_.reset(method_->handler().NewRequest());
    response_.reset(method_->handler().NewResponse());
  }
  used_bytes_ = std::max(used_bytes_, frame.message_bytes);
  if (frame.in_block()) {
    block_view_ = frame.block_view;
    block_data_ = frame.message;
    block_bytes_ = frame.message_bytes;
    return Status();
  }
  switch (ParseMessage(*frame.view, frame.message, frame.message_bytes,
                       request_.get())) {
    case ParseResult::kParsed:
      return Status();
    case ParseResult::kMalformed:
      return Unparseable();
    case ParseResult::kFaulted:
      break;
  }
  connection_->link().Fail(absl::DataLossError("the ring's memory is gone"));
  return Unparseable();
}

bool ServerCallState::ParseBlock() {
  const ParseResult result =
      ParseMessage(*block_view_, block_data_, block_bytes_, request_.get());
  block_view_.reset();
  if (result == ParseResult::kFaulted) {
    connection_->link().Fail(absl::DataLossError("a payload's memory is gone"));
  }
  return result == ParseResult::kParsed;
}

void ServerCallState::Run() {
  if (block_view_ != nullptr) {
    if (!ParseBlock()) {
      status_ = Unparseable();
      return;
    }
    // A quick handler's reply takes the block back with it; the client should
    // not wait for a slow one's.
    if (!method_->fast()) {
      connection_->link().GiveBackBlock(returned_block_ - 1);
      returned_block_ = 0;
    }
  }
  ServerContext context;
  ServerContextAccess::Bind(&context, this, deadline_ns_);
  try {
    status_ = method_->handler().Run(&context, request_.get(), response_.get());
  } catch (const std::exception& e) {
    SHMRPC_LOG(kError) << "handler of " << method_->handler().name()
                       << " threw: " << e.what();
    status_ = Status(StatusCode::UNKNOWN, "Unexpected error in RPC handling");
  } catch (...) {
    SHMRPC_LOG(kError) << "handler of " << method_->handler().name()
                       << " threw";
    status_ = Status(StatusCode::UNKNOWN, "Unexpected error in RPC handling");
  }
  if (status_.ok()) response_bytes_ = response_->ByteSizeLong();
}

void ServerCallState::Reply(int max_send_bytes, bool* rang) {
  const int kProtobufLimit = std::numeric_limits<int>::max();
  const int limit = max_send_bytes < 0 ? kProtobufLimit : max_send_bytes;
  if (status_.ok() && response_bytes_ > static_cast<uint64_t>(limit)) {
    status_ = SentTooLarge(response_bytes_, limit);
  }
  // A handler that saw the call cancelled by its deadline, and the caller, must
  // agree on what happened. (And nobody reads a reply this late.)
  if (deadline_ns_ != kInfiniteFutureNs &&
      platform::MonotonicNowNs() >= deadline_ns_) {
    status_ = DeadlineExceeded();
  }
  if (!status_.ok()) {
    SendClose(status_, rang);
    return;
  }
  used_bytes_ = std::max(used_bytes_, response_bytes_);
  link::OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.has_message = true;
  close.call_id = call_id_;
  close.aux = StatusCode::OK;
  close.returned_block = returned_block_;
  close.message_bytes = response_bytes_;
  const google::protobuf::MessageLite& response = *response_;
  const absl::Status sent = connection_->link().Send(
      close, [&](uint8_t* to) { WriteMessage(response, to); }, rang);
  // No memory for the response: that is the call's status then. A broken
  // connection has nobody left to tell.
  if (absl::IsResourceExhausted(sent)) SendClose(CallStatus(sent), rang);
}

void ServerCallState::Reject(const Status& status) {
  SendClose(status, nullptr);
}

void ServerCallState::SendClose(const Status& status, bool* rang) {
  const std::string metadata = StatusMetadata(status);
  link::OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.call_id = call_id_;
  close.aux = static_cast<uint32_t>(status.error_code());
  close.returned_block = returned_block_;
  close.metadata = metadata;
  const absl::Status sent = connection_->link().Send(close, rang);
  if (!absl::IsResourceExhausted(sent)) return;
  // Not even memory for a long text: the code alone always fits.
  close.metadata = "";
  connection_->link().Send(close, rang).IgnoreError();
}

}  // namespace internal
}  // namespace shmrpc
