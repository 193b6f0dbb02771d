#include "transport/rpc/connector.h"

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shmrpc/time.h"
#include "transport/memory/memory_account.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/fork.h"
#include "transport/platform/random.h"

namespace shmrpc {
namespace internal {
namespace {

// How long an attempt waits for a server that is there but does not answer the
// handshake, if no deadline ends it earlier (gRPC's minimum connect time-out).
constexpr int64_t kConnectTimeoutNs = 20ll * 1000 * 1000 * 1000;
// Where the system starts no thread: between the attempts of callers that make
// them themselves, and between the looks whether it does now.
constexpr int64_t kNoThreadPauseNs = 100ll * 1000 * 1000;

}  // namespace

// A call in Get, on its stack.
class Connector::Caller final : public Cancellable {
 public:
  explicit Caller(std::shared_ptr<Signal> signal)
      : signal_(std::move(signal)),
        connect_(std::make_shared<link::ConnectCancel>()) {}

  void Cancel() override {
    connect_->Cancel();
    absl::MutexLock lock(&signal_->mutex);
    signal_->changed.SignalAll();
  }

  // The attempt that it makes itself: one at most.
  const std::shared_ptr<link::ConnectCancel>& connect() const {
    return connect_;
  }
  bool cancelled() const { return connect_->cancelled(); }

 private:
  const std::shared_ptr<Signal> signal_;
  const std::shared_ptr<link::ConnectCancel> connect_;
};

Connector::Connector(const link::Address& address,
                     const std::string& server_user,
                     const ChannelArguments& arguments)
    : Connector(
          address.ToString(),
          [address, server_user, most_bytes = arguments.max_server_memory(),
           copy = arguments.GetInt(SHMRPC_ARG_COPY_BEFORE_PARSE, 0) !=
                  0](link::ConnectOptions options) {
            options.memory_account = std::make_shared<memory::MemoryAccount>(
                most_bytes < 0 ? UINT64_MAX
                               : static_cast<uint64_t>(most_bytes));
            options.server_user = server_user;
            return ClientConnection::Connect(address, std::move(options), copy);
          },
          {BackoffFromArguments(arguments)}) {}

Connector::Connector(const std::string& target, Attempt attempt,
                     const Options& options)
    : target_(target),
      attempt_(std::move(attempt)),
      options_(options),
      fork_generation_(platform::ForkGeneration()),
      signal_(std::make_shared<Signal>()) {}

Connector::~Connector() {
  if (Inherited()) {
    // The connection is the parent's, the thread does not exist here, and one
    // that held a lock of theirs neither: let them be.
    new Connection(std::move(connection_));
    new std::vector<Connection>(std::move(retired_));
    new std::thread(std::move(thread_));
    return;
  }
  {
    absl::MutexLock lock(&signal_->mutex);
    stop_ = true;
    if (thread_cancel_ != nullptr) thread_cancel_->Cancel();
    signal_->changed.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool Connector::Inherited() const {
  return platform::ForkGeneration() != fork_generation_;
}

absl::StatusOr<Connector::Connection> Connector::Get(int64_t deadline_ns,
                                                     bool wait_for_ready,
                                                     CancelSlot* cancel) {
  if (Inherited()) {
    return absl::UnavailableError(absl::StrCat(
        "channel to ", target_,
        " was made before fork(); make a new one in the child process"));
  }
  {
    absl::MutexLock lock(&signal_->mutex);
    if (Usable()) return connection_;
  }
  Caller caller(signal_);
  if (cancel != nullptr && cancel->Begin(&caller)) {
    return absl::CancelledError("cancelled before it began");
  }
  absl::StatusOr<Connection> connection;
  {
    absl::MutexLock lock(&signal_->mutex);
    if (wait_for_ready) ++waiting_;
    connection = Await(deadline_ns, wait_for_ready, caller);
    if (wait_for_ready && --waiting_ == 0) signal_->changed.SignalAll();
  }
  // Without the mutex: a Cancel that is running wants it.
  if (cancel != nullptr) cancel->End();
  return connection;
}

ClientConnection* Connector::Borrow() {
  if (Inherited()) return nullptr;
  // A lost one is dropped when nobody borrows. So while there is one nobody
  // begins to, or calls that overlap would keep it for ever.
  // Relaxed: advice.
  if (has_retired_.load(std::memory_order_relaxed)) return nullptr;
  // SYNC(borrow)
  borrowers_.fetch_add(1, std::memory_order_seq_cst);
  ClientConnection* const connection = current_.load(std::memory_order_seq_cst);
  if (connection != nullptr && connection->usable()) return connection;
  Return();
  return nullptr;
}

void Connector::Return() {
  // SYNC(borrow)
  if (borrowers_.fetch_sub(1, std::memory_order_seq_cst) == 1 &&
      has_retired_.load(std::memory_order_seq_cst)) {
    DropRetired();
  }
}

void Connector::DropRetired() {
  std::vector<Connection> unused;
  {
    absl::MutexLock lock(&signal_->mutex);
    // SYNC(borrow): those who borrow from now on get another one.
    if (borrowers_.load(std::memory_order_seq_cst) != 0) return;
    unused.swap(retired_);
    has_retired_.store(false, std::memory_order_seq_cst);
  }
  // Without the mutex: their destructors wait for callbacks that want it.
}

absl::StatusOr<Connector::Connection> Connector::Await(int64_t deadline_ns,
                                                       bool wait_for_ready,
                                                       const Caller& caller) {
  uint64_t started_before = started_;
  // An attempt that began after the call has failed.
  bool failed = false;
  for (;;) {
    if (Usable()) return connection_;
    if (caller.cancelled()) {
      return absl::CancelledError(
          absl::StrCat(target_, ": the wait for it was cancelled"));
    }
    if (!failed && last_failed_ > started_before) {
      failed = true;
      if (!wait_for_ready) return last_error_;
    }
    if (!failed && !connecting_) {
      failed = true;
      auto connection = Try(deadline_ns, caller.connect());
      if (connection.ok() || !wait_for_ready) return connection;
      continue;
    }
    if (platform::MonotonicNowNs() >= deadline_ns) {
      return absl::DeadlineExceededError(
          absl::StrCat(target_, ": not connected by the deadline"));
    }
    // Perhaps again: it ended when connected, and the connection is lost.
    if (failed && !EnsureThread()) {
      // No thread to be had: this one tries again itself, after a while.
      Sleep(
          std::min(deadline_ns, platform::MonotonicNowNs() + kNoThreadPauseNs));
      failed = false;
      started_before = started_;
      continue;
    }
    Sleep(deadline_ns);
  }
}

absl::StatusOr<Connector::Connection> Connector::Try(
    int64_t deadline_ns, const std::shared_ptr<link::ConnectCancel>& cancel) {
  connecting_ = true;
  const uint64_t number = ++started_;
  if (connection_ != nullptr) {
    // SYNC(borrow)
    current_.store(nullptr, std::memory_order_seq_cst);
    retired_.push_back(std::move(connection_));
    connection_ = nullptr;
    has_retired_.store(true, std::memory_order_seq_cst);
  }
  Changed();
  const std::shared_ptr<Signal> signal = signal_;
  signal_->mutex.Unlock();
  DropRetired();
  const int64_t timeout_ns = platform::MonotonicNowNs() + kConnectTimeoutNs;
  link::ConnectOptions options;
  options.deadline_ns = std::min(deadline_ns, timeout_ns);
  options.on_server_death = [signal] {
    absl::MutexLock lock(&signal->mutex);
    signal->changed.SignalAll();
  };
  options.cancel = cancel;
  auto connection = attempt_(std::move(options));
  const bool own_deadline = deadline_ns <= timeout_ns &&
                            absl::IsDeadlineExceeded(connection.status());
  signal_->mutex.Lock();
  connecting_ = false;
  if (connection.ok()) {
    connection_ = *connection;
    current_.store(connection_.get(), std::memory_order_seq_cst);
    failed_ = false;
    asked_ = false;
  } else if (!absl::IsCancelled(connection.status())) {
    failed_ = true;
    // That this call had no time left is no answer to others.
    if (!own_deadline) {
      last_failed_ = number;
      last_error_ = connection.status();
    }
  }
  Changed();
  return connection;
}

bool Connector::Usable() const {
  return connection_ != nullptr && connection_->usable();
}

grpc_connectivity_state Connector::Current() const {
  if (connecting_) return GRPC_CHANNEL_CONNECTING;
  if (Usable()) return GRPC_CHANNEL_READY;
  return failed_ ? GRPC_CHANNEL_TRANSIENT_FAILURE : GRPC_CHANNEL_IDLE;
}

void Connector::Changed() {
  ++changes_;
  signal_->changed.SignalAll();
}

void Connector::Sleep(int64_t deadline_ns) {
  signal_->changed.Wait(&signal_->mutex, deadline_ns);
}

grpc_connectivity_state Connector::State(bool try_to_connect) {
  if (Inherited()) return GRPC_CHANNEL_SHUTDOWN;
  absl::MutexLock lock(&signal_->mutex);
  const grpc_connectivity_state state = Current();
  if (try_to_connect && state != GRPC_CHANNEL_READY) {
    asked_ = true;
    if (!EnsureThread() && !failed_) {
      failed_ = true;
      Changed();
    }
  }
  return state;
}

bool Connector::WaitForChange(grpc_connectivity_state last,
                              int64_t deadline_ns) {
  if (Inherited()) {
    if (last != GRPC_CHANNEL_SHUTDOWN) return true;
    platform::Waiter().Wait(nullptr, deadline_ns);
    return false;
  }
  absl::MutexLock lock(&signal_->mutex);
  const uint64_t changes_before = changes_;
  for (;;) {
    const grpc_connectivity_state state = Current();
    if (state != last || changes_ != changes_before) return true;
    const int64_t now_ns = platform::MonotonicNowNs();
    if (now_ns >= deadline_ns) return false;
    int64_t look_ns = kInfiniteFutureNs;
    if (state == GRPC_CHANNEL_READY) {
      // Nothing calls us when a living server closes the connection.
      look_ns = options_.look_ns;
    } else if (asked_ && !EnsureThread()) {
      // Nor when a thread can be had again.
      look_ns = kNoThreadPauseNs;
    }
    Sleep(look_ns < kInfiniteFutureNs - now_ns
              ? std::min(deadline_ns, now_ns + look_ns)
              : deadline_ns);
  }
}

bool Connector::EnsureThread() {
  if (running_) return true;
  // The one before needs the mutex no more.
  if (thread_.joinable()) thread_.join();
  try {
    thread_ = options_.start_thread([this] { RunThread(); });
  } catch (const std::system_error&) {
    return false;
  }
  running_ = true;
  return true;
}

void Connector::RunThread() {
  Backoff backoff(options_.backoff,
                  static_cast<uint32_t>(platform::RandomBits()));
  absl::MutexLock lock(&signal_->mutex);
  int64_t next_ns = platform::MonotonicNowNs();
  if (failed_) next_ns += backoff.NextNs();
  while (!stop_ && !Usable() && (asked_ || waiting_ > 0)) {
    if (connecting_) {
      Sleep(kInfiniteFutureNs);
    } else if (platform::MonotonicNowNs() < next_ns) {
      Sleep(next_ns);
    } else {
      thread_cancel_ = std::make_shared<link::ConnectCancel>();
      Try(kInfiniteFutureNs, thread_cancel_).IgnoreError();
      next_ns = platform::MonotonicNowNs() + backoff.NextNs();
    }
  }
  running_ = false;
}

}  // namespace internal
}  // namespace shmrpc
