#include "transport/rpc/server_call.h"

#include <cstring>
#include <exception>
#include <limits>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/link/metadata.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/server_connection.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

// Of a string that a finished call keeps for the next one.
constexpr size_t kKeptMetadataBytes = 4096;

// What a pair takes in a map of two references, beside its bytes.
constexpr uint64_t kPairBytes = 96;

// For the next call; what was large is charged to nobody any more, and goes.
void Empty(std::string* metadata) {
  if (metadata->capacity() > kKeptMetadataBytes) std::string().swap(*metadata);
  metadata->clear();
}

Status HandlerThrew(const MethodHandler& handler, const char* what) {
  SHMRPC_LOG(kError) << "handler of " << handler.name() << " threw" << what;
  return Status(StatusCode::UNKNOWN, "Unexpected error in RPC handling");
}

}  // namespace

Status Unparseable() { return Status(StatusCode::INTERNAL, ""); }

int SendLimit(int max_send_bytes) {
  return max_send_bytes < 0 ? std::numeric_limits<int>::max() : max_send_bytes;
}

// --- the open frame
// ------------------------------------------------------------

void ServerCall::Start(std::shared_ptr<ServerConnection> connection,
                       uint32_t call_id, int64_t deadline_ns) {
  connection_ = std::move(connection);
  call_id_ = call_id;
  deadline_ns_ = deadline_ns;
  cancelled_.store(false, std::memory_order_relaxed);
  if (method_ != nullptr && method_->streams()) {
    stream_ = absl::make_unique<ServerCallStream>(
        this, /*requests_ended=*/!method_->requests_stream());
  }
}

bool ServerCall::Reset(std::shared_ptr<ServerConnection>* connection) {
  stream_.reset();  // gives unread blocks back
  // Such a call has cost a thread: another allocation is nothing to that.
  const bool reusable =
      messages_.request != nullptr && messages_.response != nullptr;
  if (reusable) KeepMessages();
  charge_.Release();
  *connection = std::move(connection_);
  if (!reusable) return false;
  Empty(&client_metadata_);
  if (!status_.ok()) status_ = Status();
  response_bytes_ = 0;
  request_bytes_ = 0;
  produced_bytes_ = 0;
  Empty(&initial_metadata_);
  Empty(&trailing_metadata_);
  metadata_complaint_.clear();
  block_view_.reset();
  block_metadata_ = nullptr;
  block_data_ = nullptr;
  returned_block_ = 0;
  return true;
}

void ServerCall::MakeMessages() {
  // Relaxed: a hint.
  if (method_->stored().load(std::memory_order_relaxed) != 0 &&
      !method_->responses_stream()) {
    connection_->core().messages.Take(method_, &messages_);
  }
  if (messages_.request != nullptr) return;
  messages_.request.reset(method_->handler().NewRequest());
  if (!method_->responses_stream()) {
    messages_.response.reset(method_->handler().NewResponse());
  }
}

void ServerCall::KeepMessages() {
  messages_.request->Clear();
  messages_.response->Clear();
  if (messages_.held_bytes == 0 && message_bytes() <= kSmallMessageBytes) {
    return;
  }
  connection_->core().messages.Keep(method_, std::exchange(messages_, {}),
                                    message_bytes());
}

Status ServerCall::TakeOpen(const link::Frame& frame, int max_receive_bytes) {
  if (frame.holds_block()) {
    returned_block_ = frame.block + 1;
    // Metadata is copied, and a request is parsed into a message of its own.
    const uint64_t copied_bytes =
        frame.fields.metadata_bytes +
        (method_->requests_stream() ? 0 : frame.message_bytes);
    if (frame.refused() ||
        !charge_.Take(connection_->link().memory_account(), copied_bytes)) {
      return connection_->NoRoomForClient();
    }
  }
  if (frame.fields.metadata_bytes != 0) {
    // A stream's first message gives the block back, perhaps before Run.
    if (frame.in_block() &&
        !(method_->requests_stream() && frame.has_message())) {
      // It may be long, and who polls has others to look after.
      block_view_ = frame.block_view;
      block_metadata_ = frame.metadata;
      block_metadata_bytes_ = frame.fields.metadata_bytes;
    } else {
      size_t pairs;
      Status taken = TakeMetadata(*frame.view, frame.metadata,
                                  frame.fields.metadata_bytes, &pairs);
      if (!taken.ok()) return taken;
      if (frame.in_block() && !ChargePairs(pairs)) {
        return connection_->NoRoomForClient();
      }
    }
  }
  return method_->requests_stream() ? TakeFirstMessage(frame)
                                    : TakeRequest(frame, max_receive_bytes);
}

Status ServerCall::TakeMetadata(const platform::View& view,
                                const uint8_t* metadata,
                                uint64_t metadata_bytes, size_t* pairs) {
  client_metadata_.resize(metadata_bytes);
  if (!platform::Guarded(view, [&] {
        memcpy(&client_metadata_[0], metadata, client_metadata_.size());
      })) {
    connection_->link().Fail(absl::DataLossError("metadata's memory is gone"));
    return MemoryGone();
  }
  const auto count = link::CountMetadata(client_metadata_);
  if (!count.ok()) {
    connection_->link().Fail(absl::DataLossError(
        absl::StrCat("client ", peer(), ": ", count.status().message())));
    return Unparseable();
  }
  *pairs = *count;
  return Status();
}

Status ServerCall::TakeFirstMessage(const link::Frame& frame) {
  if (!method_->responses_stream()) {
    messages_.response.reset(method_->handler().NewResponse());
  }
  if (!frame.has_message()) {
    if (frame.last()) stream_->Deliver(nullptr, true).IgnoreError();
    return Status();
  }
  ArrivedMessage message;
  if (!KeepMessage(frame, &message)) {
    connection_->link().Fail(absl::DataLossError("the ring's memory is gone"));
    return MemoryGone();
  }
  // The first of a call: it fits the window whatever its length.
  if (!stream_->Deliver(&message, frame.last()).ok()) {
    return connection_->NoRoomForClient();
  }
  returned_block_ = 0;  // the message has it
  return Status();
}

Status ServerCall::TakeRequest(const link::Frame& frame,
                               int max_receive_bytes) {
  if (!frame.has_message() || !frame.last()) {
    return Status(StatusCode::INTERNAL,
                  absl::StrCat(method_->handler().name(),
                               " takes one request, which the call's first "
                               "frame did not have"));
  }
  if (max_receive_bytes >= 0 &&
      frame.message_bytes > static_cast<uint64_t>(max_receive_bytes)) {
    return ReceivedTooLarge(frame.message_bytes, max_receive_bytes);
  }
  MakeMessages();
  request_bytes_ = frame.message_bytes;
  if (frame.in_block()) {
    block_view_ = frame.block_view;
    block_data_ = frame.message;
    block_bytes_ = frame.message_bytes;
    return Status();
  }
  switch (ParseMessage(*frame.view, frame.message, frame.message_bytes,
                       connection_->link().copy_before_parse(),
                       messages_.request.get())) {
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

bool ServerCall::ChargePairs(size_t pairs) {
  return charge_.Take(connection_->link().memory_account(),
                      charge_.bytes() + pairs * kPairBytes);
}

Status ServerCall::TakeBlock() {
  const std::shared_ptr<platform::View> view = std::move(block_view_);
  link::Connection& link = connection_->link();
  Status status;
  if (block_metadata_ != nullptr) {
    size_t pairs = 0;
    status =
        TakeMetadata(*view, block_metadata_, block_metadata_bytes_, &pairs);
    if (status.ok() && !ChargePairs(pairs)) {
      status = connection_->NoRoomForClient();
    }
  }
  if (status.ok() && block_data_ != nullptr) {
    const ParseResult result =
        ParseMessage(*view, block_data_, block_bytes_, link.copy_before_parse(),
                     messages_.request.get());
    if (result == ParseResult::kFaulted) {
      link.Fail(absl::DataLossError("a payload's memory is gone"));
    }
    if (result != ParseResult::kParsed) status = Unparseable();
  }
  if (link.broken()) connection_->WakePoller();
  return status;
}

void ServerCall::GiveBackBlock() {
  if (returned_block_ == 0) return;
  connection_->link().GiveBackBlock(returned_block_ - 1);
  returned_block_ = 0;
}

// --- the handler
// ------------------------------------------------------------

void ServerCall::Run() {
  if (block_view_ != nullptr) {
    status_ = TakeBlock();
    if (!status_.ok()) return;
  }
  // A quick handler's reply takes the block back with it; the client should not
  // wait for a slow one's.
  if (!method_->fast()) GiveBackBlock();
  const MethodHandler& handler = method_->handler();
  ServerContext context;
  ServerContextAccess::Bind(&context, this, deadline_ns_);
  context_ = &context;
  try {
    status_ = handler.Run(&context, messages_.request.get(),
                          messages_.response.get(), stream_.get());
  } catch (const std::exception& e) {
    status_ = HandlerThrew(handler, absl::StrCat(": ", e.what()).c_str());
  } catch (...) {
    status_ = HandlerThrew(handler, "");
  }
  context_ = nullptr;
  ServerContextAccess::TakeMetadata(&context, &initial_metadata_,
                                    &trailing_metadata_, &metadata_complaint_);
  if (messages_.response != nullptr) {
    produced_bytes_ = messages_.response->ByteSizeLong();
    if (status_.ok()) response_bytes_ = produced_bytes_;
  }
}

const std::string& ServerCall::initial_metadata() const {
  return ServerContextAccess::initial_metadata(*context_);
}

const std::string& ServerCall::peer() const { return connection_->peer(); }

std::shared_ptr<const AuthContext> ServerCall::auth_context() const {
  return connection_->auth_context();
}

bool ServerCall::IsCancelled() const {
  return cancelled_.load(std::memory_order_relaxed) ||
         (deadline_ns_ != kInfiniteFutureNs &&
          platform::MonotonicNowNs() >= deadline_ns_);
}

void ServerCall::TryCancel() {
  EndWith(Status(StatusCode::CANCELLED, "Cancelled on the server side"));
}

std::shared_ptr<CancelGroup> ServerCall::cancel_group() {
  std::shared_ptr<CancelGroup> group;
  {
    absl::MutexLock lock(&group_mutex_);
    if (group_ == nullptr) group_ = std::make_shared<CancelGroup>();
    has_group_.store(true, std::memory_order_relaxed);
    group = group_;
  }
  // Stop sets the flag and then looks for a group, here it is the other way
  // round, and the lock is between: one of the two finds the other's.
  if (cancelled_.load(std::memory_order_relaxed)) group->CancelAll();
  return group;
}

std::shared_ptr<CancelGroup> ServerCall::TakeGroup() {
  absl::MutexLock lock(&group_mutex_);
  has_group_.store(false, std::memory_order_relaxed);
  return std::move(group_);
}

// --- the end
// ------------------------------------------------------------

ServerCall::Stopped ServerCall::Stop(const Status& status) {
  cancelled_.store(true, std::memory_order_relaxed);
  Stopped stopped;
  {
    absl::MutexLock lock(&group_mutex_);
    stopped.group = group_;
  }
  stopped.send_close = stream_ == nullptr || stream_->End(status);
  return stopped;
}

void ServerCall::EndWith(const Status& status) {
  if (!connection_->Forget(*this)) return;
  const Stopped stopped = Stop(status);
  if (stopped.send_close) connection_->SendClose(call_id_, status);
  if (stopped.group != nullptr) stopped.group->CancelAll();
}

void ServerCall::Reject(const Status& status) {
  connection_->EndCall();
  if (!connection_->Forget(*this)) {
    GiveBackBlock();
    return;
  }
  connection_->SendClose(call_id_, status, "", returned_block_);
}

Status ServerCall::TakeVerdict(int max_send_bytes) {
  // A handler that saw the call cancelled by its deadline, and the caller, must
  // agree on what happened. (And nobody reads a reply this late.)
  if (deadline_ns_ != kInfiniteFutureNs &&
      platform::MonotonicNowNs() >= deadline_ns_) {
    return DeadlineExceeded();
  }
  if (!metadata_complaint_.empty()) {
    return Status(StatusCode::INTERNAL, metadata_complaint_);
  }
  if (initial_metadata_.size() > memory::kMaxMetadataBytes) {
    return MetadataTooLarge(initial_metadata_.size());
  }
  const int limit = SendLimit(max_send_bytes);
  if (status_.ok() && response_bytes_ > static_cast<uint64_t>(limit)) {
    return SentTooLarge(response_bytes_, limit);
  }
  return std::move(status_);
}

void ServerCall::Reply(int max_send_bytes, bool* rang) {
  if (has_group_.load(std::memory_order_relaxed)) TakeGroup()->CancelAll();
  connection_->EndCall();
  // From here on nobody else speaks for the call.
  if (!connection_->Forget(*this)) {
    GiveBackBlock();
    return;
  }
  const bool initial_sent = stream_ != nullptr && stream_->initial_sent();
  Status status = TakeVerdict(max_send_bytes);
  link::Connection& link = connection_->link();
  if (!initial_sent && !initial_metadata_.empty() &&
      initial_metadata_.size() <= memory::kMaxMetadataBytes) {
    link::OutgoingFrame first;
    first.kind = memory::kFrameMessage;
    first.initial = true;
    first.call_id = call_id_;
    first.metadata = initial_metadata_;
    const absl::Status sent = link.Send(first, rang);
    if (absl::IsResourceExhausted(sent)) status = CallStatus(sent);
  }
  if (!status.ok() || messages_.response == nullptr ||
      trailing_metadata_.size() > memory::kMaxMetadataBytes) {
    connection_->SendClose(call_id_, status, trailing_metadata_,
                           returned_block_, rang);
    return;
  }
  link::OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.has_message = true;
  close.call_id = call_id_;
  close.aux = StatusCode::OK;
  close.returned_block = returned_block_;
  close.metadata = trailing_metadata_;
  close.message_bytes = response_bytes_;
  const google::protobuf::MessageLite& response = *messages_.response;
  const absl::Status sent = link.Send(
      close, [&](uint8_t* to) { WriteMessage(response, to); }, rang);
  // No memory for the response: that is the call's status then. A broken
  // connection has nobody left to tell.
  if (absl::IsResourceExhausted(sent)) {
    connection_->SendClose(call_id_, CallStatus(sent), trailing_metadata_,
                           returned_block_, rang);
  }
}

}  // namespace internal
}  // namespace shmrpc
