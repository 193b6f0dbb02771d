// A channel: asks its connector for a connection, and makes calls through it.

#include "shmrpc/channel.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/message_lite.h"
#include "shmrpc/generated.h"
#include "transport/link/address.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/fork.h"
#include "transport/platform/user.h"
#include "transport/rpc/client_connection.h"
#include "transport/rpc/client_stream.h"
#include "transport/rpc/connector.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace {

using internal::CallOptions;
using internal::ClientConnection;
using internal::ClientContextAccess;

// A unary call on its caller's stack.
struct UnaryCall final : internal::Cancellable {
  UnaryCall(ClientConnection* connection,
            google::protobuf::MessageLite* response, const CallOptions& options)
      : connection(connection),
        call(response, /*streams=*/false, options),
        wait(&call, internal::ClientWait::For::kEnd) {}

  void Cancel() override { connection->End(&call, internal::Cancelled()); }

  ClientConnection* const connection;
  internal::ClientCall call;
  internal::ClientWait wait;
};

// What Connector::Borrow gives, until the end of the scope.
class Borrowed {
 public:
  explicit Borrowed(internal::Connector* connector)
      : connector_(connector), connection_(connector->Borrow()) {}
  ~Borrowed() {
    if (connection_ != nullptr) connector_->Return();
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  ClientConnection* get() const { return connection_; }

 private:
  internal::Connector* const connector_;
  ClientConnection* const connection_;
};

class LocalChannel final : public Channel {
 public:
  // `lame`: why no call can succeed; otherwise "", and `address` is a good one.
  LocalChannel(const absl::StatusOr<link::Address>& address,
               const std::string& server_user, std::string lame,
               const ChannelArguments& arguments)
      : lame_(std::move(lame)),
        arguments_(arguments),
        fork_generation_(platform::ForkGeneration()) {
    if (!lame_.empty()) return;
    target_ = address->ToString();
    connector_ =
        std::make_unique<internal::Connector>(*address, server_user, arguments);
  }

  grpc_connectivity_state GetState(bool try_to_connect) override {
    // What gRPC says of a lame channel.
    if (connector_ == nullptr) return GRPC_CHANNEL_TRANSIENT_FAILURE;
    return connector_->State(try_to_connect);
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
               uint64_t request_bytes, google::protobuf::MessageLite* response);
  // Null: `*status` says why.
  std::shared_ptr<ClientConnection> Connection(ClientContext* context,
                                               Status* status);
  bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                              int64_t deadline_ns) override;

  const std::string lame_;
  const ChannelArguments arguments_;
  const uint32_t fork_generation_;
  std::string target_;                              // "" if lame
  std::unique_ptr<internal::Connector> connector_;  // null if lame
};

bool LocalChannel::WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                                          int64_t deadline_ns) {
  if (connector_ != nullptr) {
    return connector_->WaitForChange(last_observed, deadline_ns);
  }
  if (last_observed != GRPC_CHANNEL_TRANSIENT_FAILURE) return true;
  // It never changes.
  platform::Waiter().Wait(nullptr, deadline_ns);
  return false;
}

Status LocalChannel::Precheck(ClientContext* context,
                              uint64_t request_bytes) const {
  if (!lame_.empty()) return Status(StatusCode::INVALID_ARGUMENT, lame_);
  if (platform::ForkGeneration() != fork_generation_) {
    return Status(StatusCode::UNAVAILABLE,
                  absl::StrCat("channel to ", target_,
                               " was made before fork(); make a new one in the "
                               "child process"));
  }
  if (!ClientContextAccess::TakeForCall(context)) {
    return Status(StatusCode::INVALID_ARGUMENT,
                  "this ClientContext has been used for a call already; make a "
                  "new one for each call");
  }
  const absl::string_view complaint =
      ClientContextAccess::metadata_complaint(*context);
  if (!complaint.empty()) {
    return Status(StatusCode::INVALID_ARGUMENT, std::string(complaint));
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
    const Borrowed borrowed(connector_.get());
    ClientConnection* connection = borrowed.get();
    std::shared_ptr<ClientConnection> fresh;
    if (connection == nullptr) {
      Status status;
      fresh = Connection(context, &status);
      if (fresh == nullptr) return status;
      connection = fresh.get();
    }
    ClientContextAccess::set_peer(context, connection->peer(),
                                  connection->peer_process(),
                                  connection->peer_user());
    UnaryCall call(connection, response, options);
    absl::Status sent = connection->Open(
        &call.call, method, ClientContextAccess::metadata(*context), &request,
        request_bytes, /*last=*/true, &call.wait);
    if (!sent.ok()) {
      if (absl::IsResourceExhausted(sent) || attempt > 0) {
        return internal::CallStatus(sent);
      }
      continue;
    }
    internal::CancelSlot* slot = ClientContextAccess::slot(context);
    if (slot->Begin(&call)) call.Cancel();
    connection->AwaitEnd(&call.wait);
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
    ClientContextAccess::set_peer(context, connection->peer(),
                                  connection->peer_process(),
                                  connection->peer_user());
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
  auto connection = connector_->Get(
      deadline_ns, ClientContextAccess::wait_for_ready(*context),
      ClientContextAccess::slot(context));
  if (connection.ok()) return *std::move(connection);
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
  const auto address = link::ParseAddress(target);
  std::string server_user = arguments.GetString(SHMRPC_ARG_SERVER_USER);
  absl::Status user_status;
  if (!server_user.empty() && server_user != "*") {
    auto user = platform::ParseUser(server_user);
    user_status = user.status();
    if (user.ok()) server_user = *std::move(user);
  }
  std::string lame;
  if (credentials == nullptr) {
    lame = "Invalid credentials.";
  } else if (!credentials->unusable().empty()) {
    lame = credentials->unusable();
  } else if (!address.ok()) {
    lame = std::string(address.status().message());
  } else if (!user_status.ok()) {
    lame = absl::StrCat(SHMRPC_ARG_SERVER_USER, ": ", user_status.message());
  }
  return std::make_shared<LocalChannel>(address, server_user, std::move(lame),
                                        arguments);
}

}  // namespace shmrpc
