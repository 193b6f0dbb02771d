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
#include "transport/rpc/client_connection.h"
#include "transport/rpc/connector.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace {

using internal::ClientContextAccess;

class LocalChannel final : public Channel {
 public:
  // `lame`: why no call can succeed; otherwise "", and `address` is a good one.
  LocalChannel(const absl::StatusOr<link::Address>& address, std::string lame,
               const ChannelArguments& arguments)
      : lame_(std::move(lame)),
        arguments_(arguments),
        fork_generation_(platform::ForkGeneration()) {
    if (!lame_.empty()) return;
    target_ = address->ToString();
    connector_ = std::make_unique<internal::Connector>(*address, arguments);
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

 private:
  Status Precheck(ClientContext* context, uint64_t request_bytes) const;
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
  const int64_t deadline_ns = ClientContextAccess::deadline_ns(*context);
  if (deadline_ns != internal::kInfiniteFutureNs &&
      platform::MonotonicNowNs() >= deadline_ns) {
    return internal::DeadlineExceeded();
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

Status LocalChannel::BlockingUnaryCall(
    const internal::RpcMethod& method, ClientContext* context,
    const google::protobuf::MessageLite& request,
    google::protobuf::MessageLite* response) {
  const uint64_t request_bytes = request.ByteSizeLong();
  Status status = Precheck(context, request_bytes);
  if (!status.ok()) return status;
  const int64_t deadline_ns = ClientContextAccess::deadline_ns(*context);
  // A second attempt only for a request that never left: the connection had
  // broken since the last call.
  for (int attempt = 0;; ++attempt) {
    auto connection = connector_->Get(
        deadline_ns, ClientContextAccess::wait_for_ready(*context),
        ClientContextAccess::slot(context));
    if (!connection.ok()) {
      if (absl::IsCancelled(connection.status())) {
        return Status(StatusCode::CANCELLED, "CANCELLED");
      }
      if (platform::MonotonicNowNs() >= deadline_ns) {
        return internal::DeadlineExceeded();
      }
      // No memory here is nothing that waiting for the server cures.
      return Status(
          absl::IsResourceExhausted(connection.status())
              ? StatusCode::RESOURCE_EXHAUSTED
              : StatusCode::UNAVAILABLE,
          absl::StrCat("failed to connect to all addresses; last error: ",
                       absl::StatusCodeToString(connection.status().code()),
                       ": ", connection.status().message()));
    }
    ClientContextAccess::set_peer(context, (*connection)->peer());
    bool sent = false;
    status =
        (*connection)
            ->UnaryCall(method, deadline_ns, request, request_bytes, response,
                        arguments_.max_receive_message_size(), &sent);
    if (sent || attempt > 0) return status;
  }
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
  std::string lame;
  if (credentials == nullptr) {
    lame = "Invalid credentials.";
  } else if (!credentials->unusable().empty()) {
    lame = credentials->unusable();
  } else if (!address.ok()) {
    lame = std::string(address.status().message());
  }
  return std::make_shared<LocalChannel>(address, std::move(lame), arguments);
}

}  // namespace shmrpc
