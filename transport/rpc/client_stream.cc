#include "transport/rpc/client_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/log/log.h"
#include "transport/platform/fork.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

class FailedStream final : public ClientStream {
 public:
  explicit FailedStream(Status status) : status_(std::move(status)) {}

  void WaitForInitialMetadata() override {}
  bool NextMessageSize(uint32_t*) override { return false; }
  bool Read(MessageLite*) override { return false; }
  bool Write(const MessageLite&, WriteOptions) override { return false; }
  bool WritesDone() override { return false; }
  Status Finish() override { return status_; }

 private:
  const Status status_;
};

}  // namespace

std::unique_ptr<ClientStream> MakeFailedStream(Status status) {
  return std::make_unique<FailedStream>(std::move(status));
}

LocalClientStream::LocalClientStream(
    std::shared_ptr<ClientConnection> connection, const RpcMethod& method,
    ClientContext* context, const CallOptions& options,
    const MessageLite* request, MessageLite* response)
    : fork_generation_(platform::ForkGeneration()),
      connection_(std::move(connection)),
      method_(method),
      context_(context),
      max_send_bytes_(options.max_send_bytes),
      request_(request),
      call_(response, /*streams=*/true, options),
      writes_done_(request != nullptr) {}

LocalClientStream::~LocalClientStream() {
  if (finished_) return;
  if (context_ != nullptr) ClientContextAccess::slot(context_)->End();
  if (Inherited()) {
    // One that held a lock of its does not exist here: let it be.
    new std::shared_ptr<ClientConnection>(connection_);
    return;
  }
  if (!opened_) return;
  connection_->Abandon(&call_);
}

bool LocalClientStream::Inherited() const {
  return platform::ForkGeneration() != fork_generation_;
}

absl::Status LocalClientStream::Start() {
  if (request_ != nullptr || !ClientContextAccess::corked(*context_)) {
    const absl::Status sent = connection_->Open(
        &call_, method_, ClientContextAccess::metadata(*context_), request_,
        request_ == nullptr ? 0 : request_->ByteSizeLong(),
        /*last=*/request_ != nullptr);
    if (!sent.ok()) return sent;
    opened_.store(true, std::memory_order_release);
  }
  if (ClientContextAccess::slot(context_)->Begin(this)) Cancel();
  return absl::OkStatus();
}

bool LocalClientStream::EnsureOpen(const MessageLite* message,
                                   uint64_t message_bytes, bool last,
                                   bool* carried) {
  *carried = false;
  if (Inherited()) return false;
  // SYNC(opened): acquire pairs with the release below; the call is open.
  if (opened_.load(std::memory_order_acquire)) return true;
  absl::MutexLock lock(&open_mutex_);
  if (opened_.load(std::memory_order_relaxed)) return true;
  if (call_.done() || context_ == nullptr) return false;
  const absl::Status sent = connection_->Open(
      &call_, method_, ClientContextAccess::metadata(*context_), message,
      message_bytes, last);
  if (!sent.ok()) {
    connection_->End(&call_, CallStatus(sent));
    return false;
  }
  *carried = true;
  opened_.store(true, std::memory_order_release);
  return true;
}

bool LocalClientStream::Send(const MessageLite* message, uint64_t message_bytes,
                             bool last) {
  bool carried;
  if (!EnsureOpen(message, message_bytes, last, &carried)) return false;
  if (!carried &&
      !connection_->SendMessage(&call_, message, message_bytes, last)) {
    return false;
  }
  connection_->AwaitSent(&call_);
  return true;
}

void LocalClientStream::PublishInitial() {
  if (published_ || context_ == nullptr) return;
  std::string initial = connection_->InitialMetadata(&call_);
  if (initial.empty()) return;
  published_ = true;
  ClientContextAccess::SetInitial(context_, std::move(initial));
}

void LocalClientStream::WaitForInitialMetadata() {
  if (finished_) return;
  if (!EnsureOpen()) return;
  connection_->AwaitInitial(&call_);
  PublishInitial();
}

bool LocalClientStream::NextMessageSize(uint32_t* size_bytes) {
  if (finished_) return false;
  if (!EnsureOpen()) return false;
  uint64_t size = 0;
  const bool there = connection_->PeekMessage(&call_, &size);
  PublishInitial();
  if (there) *size_bytes = static_cast<uint32_t>(size);
  return there;
}

bool LocalClientStream::Read(MessageLite* message) {
  if (finished_) return false;
  if (!EnsureOpen()) return false;
  const bool there = connection_->ReadMessage(&call_, message);
  PublishInitial();
  // It comes before the first message or with it, or not at all.
  published_ |= there;
  return there;
}

bool LocalClientStream::TooLongToSend(uint64_t message_bytes) {
  constexpr int kProtobufLimit = std::numeric_limits<int>::max();
  const int limit = max_send_bytes_ < 0 ? kProtobufLimit : max_send_bytes_;
  if (message_bytes <= static_cast<uint64_t>(limit)) return false;
  connection_->End(&call_, SentTooLarge(message_bytes, limit));
  return true;
}

bool LocalClientStream::Write(const MessageLite& message,
                              WriteOptions options) {
  if (finished_ || writes_done_) {
    SHMRPC_LOG(kError) << method_.name() << ": Write after "
                       << (finished_ ? "Finish" : "WritesDone")
                       << "; the message was not sent";
    return false;
  }
  const uint64_t bytes = message.ByteSizeLong();
  if (Inherited() || TooLongToSend(bytes)) return false;
  const bool last = options.is_last_message();
  const bool sent = Send(&message, bytes, last);
  if (last) writes_done_ = true;
  return sent;
}

bool LocalClientStream::WritesDone() {
  if (finished_ || writes_done_) {
    SHMRPC_LOG(kError) << method_.name() << ": WritesDone after "
                       << (finished_ ? "Finish" : "WritesDone or WriteLast");
    return false;
  }
  writes_done_ = true;
  const bool sent = Send(nullptr, 0, true);
  // A server that has answered needs no more: that is no failure.
  return sent ||
         (call_.done() && call_.ended_by == ClientCall::EndedBy::kServer);
}

void LocalClientStream::Close() {
  if (opened_) {
    connection_->AwaitEnd(&call_);
    if (call_.late_response != nullptr) connection_->ParseLateResponse(&call_);
  } else {
    connection_->End(&call_, Cancelled());
  }
  if (context_ == nullptr) return;
  ClientContextAccess::slot(context_)->End();
  PublishInitial();
  ClientContextAccess::SetTrailing(context_, std::move(call_.trailing));
  ClientContextAccess::SetOutcome(context_, call_.status);
}

Status LocalClientStream::Finish() {
  if (finished_) {
    SHMRPC_LOG(kError) << method_.name() << ": Finish a second time";
    return call_.status;
  }
  if (Inherited()) {
    return Status(StatusCode::UNAVAILABLE,
                  absl::StrCat(method_.name(),
                               ": this stream was started before fork(); start "
                               "a new one in the child process"));
  }
  // One that fails has ended the call.
  EnsureOpen();
  Close();
  finished_ = true;
  return call_.status;
}

void LocalClientStream::Cancel() {
  if (!Inherited()) connection_->End(&call_, Cancelled());
}

void LocalClientStream::Orphan() {
  Cancel();
  context_ = nullptr;
}

}  // namespace internal
}  // namespace shmrpc
