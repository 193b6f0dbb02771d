#include "transport/rpc/server.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/fork.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr int64_t kDeliveryLookNs = 1000 * 1000;
constexpr int64_t kDeliveryPatienceNs = 1000 * kDeliveryLookNs;
// However slowly clients go on taking them.
constexpr int64_t kDeliveryLimitNs = 30 * kDeliveryPatienceNs;

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> LocalServer::Start(
    const ServerOptions& options) {
  std::unique_ptr<LocalServer> server(new LocalServer);
  LocalServer* raw = server.get();
  raw->core_.max_receive_bytes = options.max_receive_bytes;
  raw->core_.max_send_bytes = options.max_send_bytes;
  raw->core_.copy_before_parse = options.copy_before_parse;
  raw->core_.address = options.addresses[0].ToString();
  const absl::Status added = raw->AddServices(options);
  if (!added.ok()) return added;
  auto lobby = link::Lobby::Create(options.addresses, options.access);
  if (!lobby.ok()) return lobby.status();
  raw->lobby_ = *std::move(lobby);
  raw->poller_ =
      absl::make_unique<Poller>(raw->lobby_->poller_event(), &raw->core_,
                                options.max_threads, raw->lobby_->look_ns());
  raw->core_.polling = raw->poller_.get();
  const absl::Status started = raw->poller_->Start();
  if (!started.ok()) return started;
  raw->quotas_ = absl::make_unique<link::ClientQuotas>(options.quotas);
  try {
    raw->acceptor_ = absl::make_unique<link::Acceptor>(
        raw->lobby_.get(),
        [raw](link::Acceptor::Accepted accepted) {
          return raw->OnAccepted(std::move(accepted));
        },
        raw->quotas_.get());
  } catch (const std::system_error& e) {
    return absl::ResourceExhaustedError(absl::StrCat(
        raw->core_.address,
        ": the system starts no thread to accept clients: ", e.what()));
  }
  return std::unique_ptr<Server>(std::move(server));
}

LocalServer::LocalServer() : fork_generation_(platform::ForkGeneration()) {}

LocalServer::~LocalServer() {
  if (!Inherited()) {
    ShutdownBy(kInfiniteFutureNs);
    return;
  }
  // The threads to join do not exist here, nor those that hold locks: let all
  // of it be.
  acceptor_.release();
  poller_.release();
  lobby_.release();
}

bool LocalServer::Inherited() const {
  return platform::ForkGeneration() != fork_generation_;
}

absl::Status LocalServer::AddServices(const ServerOptions& options) {
  for (const Service* service : options.services) {
    absl::Status added = core_.methods.AddService(*service);
    if (!added.ok()) return added;
  }
  if (!options.health_service) return absl::OkStatus();
  health_ = absl::make_unique<HealthService>();
  // As in gRPC, the program's own comes first.
  for (const auto& handler : health_->methods()) {
    if (core_.methods.Find(handler->name()) == nullptr) continue;
    SHMRPC_LOG(kWarning) << "the default health service is not served: a "
                            "registered service has "
                         << handler->name();
    return absl::OkStatus();
  }
  return core_.methods.AddService(*health_);
}

absl::Status LocalServer::OnAccepted(link::Acceptor::Accepted accepted) {
  if (accepted.connection == nullptr) {
    if (accepted.lobby_restored) poller_->EventRestored();
    poller_->DropAbandoned();
    return absl::OkStatus();
  }
  // One that slips through has its calls refused.
  if (core_.draining()) {
    return absl::UnavailableError("the server is shutting down");
  }
  auto connection =
      std::make_shared<ServerConnection>(&core_, std::move(accepted));
  Poller* poller = poller_.get();
  const absl::Status watching =
      connection->WatchClient([poller] { poller->Wake(); });
  if (!watching.ok()) return watching;
  poller_->Add(std::move(connection));
  return absl::OkStatus();
}

void LocalServer::ShutdownBy(int64_t deadline_ns) {
  if (Inherited()) return;
  // The first one may be waiting with a later deadline, or with none.
  core_.HastenDrain(deadline_ns);
  {
    absl::MutexLock lock(&mutex_);
    if (phase_ != Phase::kServing) {
      mutex_.Await(absl::Condition(
          +[](Phase* phase) { return *phase == Phase::kDown; }, &phase_));
      return;
    }
    phase_ = Phase::kDraining;
  }
  if (acceptor_ != nullptr) acceptor_->RefuseAll();
  // Who watches hears of it first; a watch has no end of its own to wait for.
  if (health_ != nullptr) health_->EndWatches();
  if (!core_.Drain()) {
    poller_->EndCalls(Status(StatusCode::UNAVAILABLE, "Cancelling all calls"));
    core_.AwaitCalls();
  }
  // A start that failed half-way has only some of these.
  if (poller_ != nullptr) {
    AwaitDelivery();
    poller_->Stop();
  }
  acceptor_.reset();
  poller_.reset();
  lobby_.reset();
  absl::MutexLock lock(&mutex_);
  phase_ = Phase::kDown;
}

// A call has ended when its reply can no longer get lost: not while it waits
// for room in the ring, nor in a block, whose memory goes with us unless the
// client has mapped it already. A client with nobody left to read replies (the
// callers gave up) makes no progress, and is not waited for any longer.
void LocalServer::AwaitDelivery() {
  platform::Waiter waiter;
  uint64_t left = poller_->Undelivered();
  int64_t give_up_ns = platform::MonotonicNowNs() + kDeliveryPatienceNs;
  const int64_t last_ns = platform::MonotonicNowNs() + kDeliveryLimitNs;
  while (left != 0) {
    const int64_t now_ns = platform::MonotonicNowNs();
    if (now_ns >= std::min(give_up_ns, last_ns)) return;
    waiter.Wait(nullptr, now_ns + kDeliveryLookNs);
    const uint64_t left_now = poller_->Undelivered();
    if (left_now < left) {
      give_up_ns = platform::MonotonicNowNs() + kDeliveryPatienceNs;
    }
    left = left_now;
  }
}

void LocalServer::Wait() {
  if (Inherited()) return;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](Phase* phase) { return *phase == Phase::kDown; }, &phase_));
}

}  // namespace internal
}  // namespace shmrpc
