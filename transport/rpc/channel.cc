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
#include "transport/rpc/context_access.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace {

using internal::ClientConnection;
using internal::ClientContextAccess;

// A call without a deadline waits so long for a server that is there but does
// not answer the handshake (gRPC's minimum connect time-out).
constexpr int64_t kConnectTimeoutNs = 20ll * 1000 * 1000 * 1000;

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

 private:
  Status Precheck(ClientContext* context, uint64_t request_bytes) const;
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
    auto connection = GetConnection(deadline_ns);
    if (!connection.ok()) {
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
