#include "transport/rpc/server_connection.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/clock.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/method_names.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr int64_t kCenturyNs = 100ll * 365 * 24 * 3600 * 1000000000;
constexpr uint32_t kMaxMethodNameBytes = 4096;
constexpr size_t kMaxSpare = 4;

}  // namespace

bool ServerCore::BeginCall() {
  // SYNC(drain)
  calls_in_flight_.fetch_add(1, std::memory_order_seq_cst);
  if (!draining_.load(std::memory_order_seq_cst)) return true;
  EndCall();
  return false;
}

void ServerCore::EndCall() {
  // SYNC(drain)
  if (calls_in_flight_.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
  if (!draining_.load(std::memory_order_seq_cst)) return;
  // Unlocking has Drain look again.
  absl::MutexLock lock(&mutex_);
}

void ServerCore::Drain() {
  // SYNC(drain)
  draining_.store(true, std::memory_order_seq_cst);
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](std::atomic<int64_t>* calls) {
        return calls->load(std::memory_order_seq_cst) == 0;
      },
      &calls_in_flight_));
}

ServerConnection::ServerConnection(ServerCore* core,
                                   link::Acceptor::Accepted accepted)
    : core_(core),
      link_(std::move(accepted.connection)),
      clock_offset_ns_(accepted.clock_offset_ns),
      peer_(absl::StrCat(core->address, "/", link_->peer().pid)) {}

ServerConnection::~ServerConnection() { watch_.reset(); }

absl::Status ServerConnection::WatchClient(std::function<void()> wake) {
  // A plain pointer: the destructor waits for a running callback.
  auto watch = platform::DeathWatch::Start(link_->peer(), [this, wake] {
    // SYNC(client-dead): release pairs with the acquire in Ended.
    client_dead_.store(true, std::memory_order_release);
    wake();
  });
  if (!watch.ok()) return watch.status();
  watch_ = *std::move(watch);
  return absl::OkStatus();
}

bool ServerConnection::Ended() {
  // SYNC(client-dead)
  return client_dead_.load(std::memory_order_acquire) || link_->broken() ||
         link_->PeerClosed();
}

bool ServerConnection::Abandoned() const {
  return !link_->mapping().HeldByAnyone();
}

std::unique_ptr<ServerCallState> ServerConnection::Take(
    const link::Frame& frame) {
  switch (frame.fields.kind) {
    case memory::kFrameBind:
      Bind(frame);
      break;
    case memory::kFrameOpen:
      return Open(frame);
    case memory::kFrameCancel:
      Cancel(frame.fields.call_id);
      break;
    default:
      break;  // ValidateFrame lets no other kind pass
  }
  return nullptr;
}

void ServerConnection::Bind(const link::Frame& frame) {
  const uint32_t id = frame.fields.aux;
  std::string name;
  if (id >= kMaxMethodIds ||
      frame.fields.metadata_bytes > kMaxMethodNameBytes) {
    link_->Fail(absl::DataLossError(absl::StrCat(
        "client ", peer_, " binds method number ", id, " to a name of ",
        frame.fields.metadata_bytes, " bytes; limits are ", kMaxMethodIds,
        " and ", kMaxMethodNameBytes)));
    return;
  }
  if (!CopyMetadata(frame, &name)) {
    link_->Fail(absl::DataLossError("the ring's memory is gone"));
    return;
  }
  if (frame.in_block()) link_->GiveBackBlock(frame.block);
  if (methods_.size() <= id) methods_.resize(id + 1);
  methods_[id] = core_->methods.Find(name);
}

std::unique_ptr<ServerCallState> ServerConnection::Open(
    const link::Frame& frame) {
  const uint32_t id = frame.fields.aux;
  const uint32_t call_id = frame.fields.call_id;
  ServedMethod* method = id < methods_.size() ? methods_[id] : nullptr;
  const int64_t deadline_ns = DeadlineHere(frame.fields.deadline_ns);
  std::unique_ptr<ServerCallState> call;
  bool too_many;
  {
    absl::MutexLock lock(&mutex_);
    if (!spare_.empty() && spare_.back()->method() == method) {
      call = std::move(spare_.back());
      spare_.pop_back();
    } else {
      call = absl::make_unique<ServerCallState>(method);
    }
    too_many = calls_.size() >= kMaxCalls;
    if (!too_many && !calls_.try_emplace(call_id, call.get()).second) {
      link_->Fail(absl::DataLossError(absl::StrCat(
          "client ", peer_, " opened call ", call_id, " while it was open")));
      return nullptr;
    }
  }
  call->Start(shared_from_this(), call_id, deadline_ns);
  Status status;
  if (method == nullptr || too_many) {
    status =
        method == nullptr
            ? Status(StatusCode::UNIMPLEMENTED, "")
            : Status(StatusCode::RESOURCE_EXHAUSTED,
                     absl::StrCat(kMaxCalls, " calls in flight on ", peer_));
    if (frame.in_block()) link_->GiveBackBlock(frame.block);
  } else {
    status = call->TakeRequest(frame, core_->max_receive_bytes);
  }
  if (status.ok() && deadline_ns != kInfiniteFutureNs &&
      platform::MonotonicNowNs() >= deadline_ns) {
    status = DeadlineExceeded();
  }
  if (status.ok() && !core_->BeginCall()) {
    status =
        Status(StatusCode::UNAVAILABLE,
               absl::StrCat("server ", core_->address, " is shutting down"));
  }
  if (status.ok()) return call;
  call->Reject(status);
  Finish(std::move(call));
  return nullptr;
}

int64_t ServerConnection::DeadlineHere(int64_t client_deadline_ns) const {
  const int64_t now_ns = platform::MonotonicNowNs();
  // Whatever the client wrote: past, within a century, or never.
  if (client_deadline_ns < 0) return 0;
  if (clock_offset_ns_ != 0 && client_deadline_ns != kInfiniteFutureNs) {
    const int64_t room = kInfiniteFutureNs - client_deadline_ns;
    client_deadline_ns = clock_offset_ns_ > room
                             ? kInfiniteFutureNs
                             : client_deadline_ns + clock_offset_ns_;
  }
  return client_deadline_ns > now_ns + kCenturyNs ? kInfiniteFutureNs
                                                  : client_deadline_ns;
}

void ServerConnection::Cancel(uint32_t call_id) {
  absl::MutexLock lock(&mutex_);
  auto call = calls_.find(call_id);
  // Not there: the reply and the cancel crossed.
  if (call != calls_.end()) call->second->Cancel();
}

void ServerConnection::Finish(std::unique_ptr<ServerCallState> call) {
  const uint32_t call_id = call->call_id();
  {
    absl::MutexLock lock(&mutex_);
    auto found = calls_.find(call_id);
    if (found != calls_.end() && found->second == call.get()) {
      calls_.erase(found);
    }
  }
  // Clears messages and may drop the last reference to this: not under the
  // lock.
  const std::shared_ptr<ServerConnection> self = call->connection();
  if (!call->Reset()) return;
  absl::MutexLock lock(&mutex_);
  if (spare_.size() < kMaxSpare) spare_.push_back(std::move(call));
}

void ServerConnection::CancelAll() {
  absl::MutexLock lock(&mutex_);
  for (const auto& call : calls_) call.second->Cancel();
}

}  // namespace internal
}  // namespace shmrpc
