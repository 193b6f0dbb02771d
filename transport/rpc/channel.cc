// A channel: connects when first needed, and again when the server came back.

#include "shmrpc/channel.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "google/protobuf/message_lite.h"
#include "shmrpc/generated.h"
#include "transport/link/address.h"
#include "transport/platform/clock.h"
#include "transport/platform/fork.h"
#include "transport/rpc/client_connection.h"
#include "transport/rpc/client_stream.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace {

using internal::CallOptions;
using internal::ClientConnection;
using internal::ClientContextAccess;

// A call without a deadline waits so long for a server that is there but does
// not answer the handshake (gRPC's minimum connect time-out).
constexpr int64_t kConnectTimeoutNs = 20ll * 1000 * 1000 * 1000;

// A unary call on its caller's stack.
struct UnaryCall final : internal::Cancellable {
  UnaryCall(ClientConnection* connection,
            google::protobuf::MessageLite* response, const CallOptions& options)
      : connection(connection), call(response, /*streams=*/false, options) {}

  void Cancel() override { connection->End(&call, internal::Cancelled()); }

  ClientConnection* const connection;
  internal::ClientCall call;
};

class LocalChannel final : public Channel {
 public:
  LocalChannel(absl::StatusOr<link::Address> address, bool has_credentials,
               const ChannelArguments& arguments)
      : address_(std::move(address)),
        has_credentials_(has_credentials),
        arguments_(arguments),
        fork_generation_(platform::ForkGeneration()) {}

  ~LocalChannel() override {
    if (platform::ForkGeneration() == fork_generation_) return;
    // In a forked copy the connection is the parent's, and a thread that held
    // one of its locks does not exist here: let it be.
    new std::shared_ptr<ClientConnection>(std::move(connection_));
  }

  Status BlockingUnaryCall(const internal::RpcMethod& method,
                           ClientContext* context,
                           const google::protobuf::MessageLite& request,
                           google::protobuf::MessageLite* response) override;

  std::unique_ptr<internal::ClientStream> StartStream(
      const internal::RpcMethod& method, ClientContext* context,
      const google::protobuf::MessageLite* request,
      google::protobuf::MessageLite* response) override;

 private:
  // `request_bytes`: 0 if there is none.
  Status Precheck(ClientContext* context, uint64_t request_bytes) const;
  CallOptions OptionsOf(const ClientContext& context) const;
  Status Unary(const internal::RpcMethod& method, ClientContext* context,
               const google::protobuf::MessageLite& request,
               uint64_t request_bytes,
               google::protobuf::MessageLite* response);
  // Null: `*status` says why.
  std::shared_ptr<ClientConnection> Connection(ClientContext* context,
                                               Status* status);
  absl::StatusOr<std::shared_ptr<ClientConnection>> GetConnection(
      int64_t deadline_ns) ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::StatusOr<link::Address> address_;
  const bool has_credentials_;
  const ChannelArguments arguments_;
  const uint32_t fork_generation_;

  absl::Mutex mutex_;
  absl::CondVar connected_;
  bool connecting_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ClientConnection> connection_ ABSL_GUARDED_BY(mutex_);
};

Status LocalChannel::Precheck(ClientContext* context,
                              uint64_t request_bytes) const {
  if (!has_credentials_) {
    return Status(StatusCode::INVALID_ARGUMENT, "Invalid credentials.");
  }
  if (!address_.ok()) {
    return Status(StatusCode::INVALID_ARGUMENT,
                  std::string(address_.status().message()));
  }
  if (platform::ForkGeneration() != fork_generation_) {
    return Status(StatusCode::UNAVAILABLE,
                  absl::StrCat("channel to ", address_->ToString(),
                               " was made before fork(); make a new one in the "
                               "child process"));
  }
  if (!ClientContextAccess::TakeForCall(context)) {
    return Status(StatusCode::INVALID_ARGUMENT,
                  "this ClientContext has been used for a call already; make a "
                  "new one for each call");
  }
  const std::string& complaint =
      ClientContextAccess::metadata_complaint(*context);
  if (!complaint.empty()) {
    return Status(StatusCode::INVALID_ARGUMENT, complaint);
  }
  const uint64_t metadata_bytes =
      ClientContextAccess::metadata(*context).size();
  if (metadata_bytes > memory::kMaxMetadataBytes) {
    return internal::MetadataTooLarge(metadata_bytes);
  }
  const int64_t deadline_ns = ClientContextAccess::deadline_ns(*context);
  if (deadline_ns != internal::kInfiniteFutureNs &&
      platform::MonotonicNowNs() >= deadline_ns) {
    return internal::DeadlineExceeded();
  }
  if (ClientContextAccess::slot(context)->requested()) {
    return internal::Cancelled();
  }
  const int limit = arguments_.max_send_message_size();
  if (limit >= 0 && request_bytes > static_cast<uint64_t>(limit)) {
    return internal::SentTooLarge(request_bytes, limit);
  }
  constexpr int kProtobufLimit = std::numeric_limits<int>::max();
  if (request_bytes > static_cast<uint64_t>(kProtobufLimit)) {
    return internal::SentTooLarge(request_bytes, kProtobufLimit);
  }
  return Status();
}

CallOptions LocalChannel::OptionsOf(const ClientContext& context) const {
  CallOptions options;
  options.deadline_ns = ClientContextAccess::deadline_ns(context);
  options.max_receive_bytes = arguments_.max_receive_message_size();
  options.max_send_bytes = arguments_.max_send_message_size();
  return options;
}

Status LocalChannel::BlockingUnaryCall(
    const internal::RpcMethod& method, ClientContext* context,
    const google::protobuf::MessageLite& request,
    google::protobuf::MessageLite* response) {
  const uint64_t request_bytes = request.ByteSizeLong();
  Status status = Precheck(context, request_bytes);
  if (status.ok()) {
    status = Unary(method, context, request, request_bytes, response);
  }
  ClientContextAccess::SetOutcome(context, status);
  return status;
}

Status LocalChannel::Unary(const internal::RpcMethod& method,
                           ClientContext* context,
                           const google::protobuf::MessageLite& request,
                           uint64_t request_bytes,
                           google::protobuf::MessageLite* response) {
  const CallOptions options = OptionsOf(*context);
  // A second attempt only for a request that never left: the connection had
  // broken since the last call.
  for (int attempt = 0;; ++attempt) {
    Status status;
    const std::shared_ptr<ClientConnection> connection =
        Connection(context, &status);
    if (connection == nullptr) return status;
    UnaryCall call(connection.get(), response, options);
    absl::Status sent = connection->Open(
        &call.call, method, ClientContextAccess::metadata(*context), &request,
        request_bytes, /*last=*/true);
    if (!sent.ok()) {
      if (absl::IsResourceExhausted(sent) || attempt > 0) {
        return internal::CallStatus(sent);
      }
      continue;
    }
    internal::CancelSlot* slot = ClientContextAccess::slot(context);
    if (slot->Begin(&call)) call.Cancel();
    connection->AwaitEnd(&call.call);
    slot->End();
    if (call.call.late_response != nullptr) {
      connection->ParseLateResponse(&call.call);
    }
    if (call.call.initial_arrived) {
      ClientContextAccess::SetInitial(context, std::move(call.call.initial));
    }
    ClientContextAccess::SetTrailing(context, std::move(call.call.trailing));
    return std::move(call.call.status);
  }
}

std::unique_ptr<internal::ClientStream> LocalChannel::StartStream(
    const internal::RpcMethod& method, ClientContext* context,
    const google::protobuf::MessageLite* request,
    google::protobuf::MessageLite* response) {
  Status status =
      Precheck(context, request == nullptr ? 0 : request->ByteSizeLong());
  for (int attempt = 0; status.ok(); ++attempt) {
    std::shared_ptr<ClientConnection> connection = Connection(context, &status);
    if (connection == nullptr) break;
    auto stream = std::make_unique<internal::LocalClientStream>(
        std::move(connection), method, context, OptionsOf(*context), request,
        response);
    const absl::Status sent = stream->Start();
    if (sent.ok()) return stream;
    if (absl::IsResourceExhausted(sent) || attempt > 0) {
      status = internal::CallStatus(sent);
    }
  }
  ClientContextAccess::SetOutcome(context, status);
  return internal::MakeFailedStream(std::move(status));
}

std::shared_ptr<ClientConnection> LocalChannel::Connection(
    ClientContext* context, Status* status) {
  const int64_t deadline_ns = ClientContextAccess::deadline_ns(*context);
  auto connection = GetConnection(deadline_ns);
  if (connection.ok()) {
    ClientContextAccess::set_peer(context, (*connection)->peer());
    return *std::move(connection);
  }
  if (absl::IsCancelled(connection.status())) {
    *status = internal::Cancelled();
  } else if (platform::MonotonicNowNs() >= deadline_ns) {
    *status = internal::DeadlineExceeded();
  } else {
    // No memory here is nothing that waiting for the server cures.
    *status = Status(
        absl::IsResourceExhausted(connection.status())
            ? StatusCode::RESOURCE_EXHAUSTED
            : StatusCode::UNAVAILABLE,
        absl::StrCat("failed to connect to all addresses; last error: ",
                     absl::StatusCodeToString(connection.status().code()), ": ",
                     connection.status().message()));
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<ClientConnection>> LocalChannel::GetConnection(
    int64_t deadline_ns) {
  {
    absl::MutexLock lock(&mutex_);
    for (;;) {
      if (connection_ != nullptr && connection_->usable()) return connection_;
      if (!connecting_) break;
      const int64_t left_ns = deadline_ns - platform::MonotonicNowNs();
      if (left_ns <= 0) {
        return absl::DeadlineExceededError("another call is still connecting");
      }
      connected_.WaitWithTimeout(&mutex_,
                                 deadline_ns == internal::kInfiniteFutureNs
                                     ? absl::InfiniteDuration()
                                     : absl::Nanoseconds(left_ns));
    }
    connecting_ = true;
  }
  const int64_t timeout_ns = platform::MonotonicNowNs() + kConnectTimeoutNs;
  auto connection =
      ClientConnection::Connect(*address_, std::min(deadline_ns, timeout_ns));
  // The old one is destroyed outside the mutex: that may wait for a callback.
  std::shared_ptr<ClientConnection> old;
  absl::MutexLock lock(&mutex_);
  connecting_ = false;
  connected_.SignalAll();
  if (connection.ok()) old = std::exchange(connection_, *connection);
  return connection;
}

}  // namespace

std::shared_ptr<Channel> CreateChannel(
    const std::string& target,
    const std::shared_ptr<ChannelCredentials>& credentials) {
  return CreateCustomChannel(target, credentials, ChannelArguments());
}

std::shared_ptr<Channel> CreateCustomChannel(
    const std::string& target,
    const std::shared_ptr<ChannelCredentials>& credentials,
    const ChannelArguments& arguments) {
  return std::make_shared<LocalChannel>(link::ParseAddress(target),
                                        credentials != nullptr, arguments);
}

}  // namespace shmrpc
