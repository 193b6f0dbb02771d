#include "transport/rpc/server_connection.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/clock.h"
#include "transport/rpc/auth_context.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/method_names.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr int64_t kCenturyNs = 100ll * 365 * 24 * 3600 * 1000000000;
constexpr uint32_t kMaxMethodNameBytes = 4096;
constexpr size_t kMaxSpare = 8;

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
  absl::MutexLock lock(&mutex_);
  change_.SignalAll();
}

bool ServerCore::Drain() {
  // SYNC(drain)
  draining_.store(true, std::memory_order_seq_cst);
  absl::MutexLock lock(&mutex_);
  while (calls_in_flight_.load(std::memory_order_seq_cst) != 0) {
    if (platform::MonotonicNowNs() >= drain_deadline_ns_) return false;
    change_.Wait(&mutex_, drain_deadline_ns_);
  }
  return true;
}

void ServerCore::HastenDrain(int64_t deadline_ns) {
  absl::MutexLock lock(&mutex_);
  drain_deadline_ns_ = std::min(drain_deadline_ns_, deadline_ns);
  change_.SignalAll();
}

void ServerCore::AwaitCalls() {
  absl::MutexLock lock(&mutex_);
  while (calls_in_flight_.load(std::memory_order_seq_cst) != 0) {
    change_.Wait(&mutex_, kInfiniteFutureNs);
  }
}

ServerConnection::ServerConnection(ServerCore* core,
                                   link::Acceptor::Accepted accepted)
    : core_(core),
      seat_(std::move(accepted.seat)),
      link_(std::move(accepted.connection)),
      clock_offset_ns_(accepted.clock_offset_ns),
      peer_(absl::StrCat(core->address, "/", link_->peer().pid)) {
  if (core->copy_before_parse) link_->CopyBeforeParse();
}

ServerConnection::~ServerConnection() { watch_.reset(); }

absl::Status ServerConnection::WatchClient(std::function<void()> wake) {
  wake_ = std::move(wake);
  // A plain pointer: the destructor waits for a running callback.
  auto watch = platform::DeathWatch::Start(link_->peer(), [this] {
    // SYNC(client-dead): release pairs with the acquire in Ended.
    client_dead_.store(true, std::memory_order_release);
    wake_();
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

std::shared_ptr<const AuthContext> ServerConnection::auth_context() {
  absl::call_once(auth_context_once_, [this] {
    auth_context_ = LocalAuthContext(
        {link_->peer().pid, link_->peer().start_time, link_->peer_user()});
  });
  return auth_context_;
}

bool ServerConnection::Abandoned() const { return !link_->HeldByClient(); }

std::unique_ptr<ServerCall> ServerConnection::Take(const link::Frame& frame) {
  if (frame.refused()) return TakeRefused(frame);
  switch (frame.fields.kind) {
    case memory::kFrameBind:
      Bind(frame);
      break;
    case memory::kFrameOpen:
      return Open(frame);
    case memory::kFrameMessage:
      Message(frame);
      break;
    case memory::kFrameCredit:
      Credit(frame);
      break;
    case memory::kFrameCancel:
      EndOne(frame.fields.call_id, Cancelled());
      break;
    default:
      break;  // ValidateFrame lets no other kind pass
  }
  return nullptr;
}

std::unique_ptr<ServerCall> ServerConnection::TakeRefused(
    const link::Frame& frame) {
  switch (frame.fields.kind) {
    case memory::kFrameOpen:
      return Open(frame);
    case memory::kFrameMessage:
      link_->GiveBackBlock(frame.block);
      EndOne(frame.fields.call_id, NoRoomForClient());
      return nullptr;
    default:
      link_->Fail(absl::DataLossError(absl::StrCat(
          "client ", peer_, " needs a block for a method's name")));
      return nullptr;
  }
}

Status ServerConnection::NoRoomForClient() const {
  return MemoryLimit(absl::StrCat("server ", core_->address), "client",
                     link_->memory_account().get());
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

std::unique_ptr<ServerCall> ServerConnection::Open(const link::Frame& frame) {
  const uint32_t id = frame.fields.aux;
  const uint32_t call_id = frame.fields.call_id;
  ServedMethod* method = id < methods_.size() ? methods_[id] : nullptr;
  const int64_t deadline_ns = DeadlineHere(frame.fields.deadline_ns);
  std::unique_ptr<ServerCall> call;
  // From here until Reply or Reject.
  const bool counts =
      method != nullptr && (seat_ == nullptr || seat_->TryBeginCall());
  if (counts) {
    absl::MutexLock lock(&mutex_);
    call = TakeSpare(method);
    if (call == nullptr) call = absl::make_unique<ServerCall>(method);
    // Complete before others can find it.
    call->Start(shared_from_this(), call_id, deadline_ns);
    if (!calls_.Insert(call_id, call.get())) {
      EndCall();
      link_->Fail(absl::DataLossError(absl::StrCat(
          "client ", peer_, " opened call ", call_id, " while it was open")));
      return nullptr;
    }
  }
  if (call == nullptr) {
    SendClose(call_id,
              method == nullptr
                  ? Status(StatusCode::UNIMPLEMENTED, "")
                  : Status(StatusCode::RESOURCE_EXHAUSTED,
                           absl::StrCat("server ", core_->address, " runs ",
                                        seat_->max_calls(),
                                        " calls of this process, as many as it "
                                        "allows one client")),
              "", frame.holds_block() ? frame.block + 1 : 0);
    return nullptr;
  }
  Status status = call->TakeOpen(frame, core_->max_receive_bytes);
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
  if (client_deadline_ns == kInfiniteFutureNs) return client_deadline_ns;
  const int64_t now_ns = platform::MonotonicNowNs();
  // Whatever the client wrote: past, or within a century, or never.
  if (client_deadline_ns < 0) return 0;
  if (clock_offset_ns_ != 0) {
    const int64_t room = kInfiniteFutureNs - client_deadline_ns;
    client_deadline_ns = clock_offset_ns_ > room
                             ? kInfiniteFutureNs
                             : client_deadline_ns + clock_offset_ns_;
  }
  return client_deadline_ns > now_ns + kCenturyNs ? kInfiniteFutureNs
                                                  : client_deadline_ns;
}

void ServerConnection::Refuse(uint32_t call_id, const absl::Status& lie) {
  link_->Fail(absl::DataLossError(
      absl::StrCat("client ", peer_, ", call ", call_id, ": ", lie.message())));
}

void ServerConnection::Message(const link::Frame& frame) {
  const uint32_t call_id = frame.fields.call_id;
  ArrivedMessage message;
  if (frame.has_message() && !KeepMessage(frame, &message)) {
    link_->Fail(absl::DataLossError("the ring's memory is gone"));
    return;
  }
  if (!frame.has_message() && frame.in_block()) {
    link_->GiveBackBlock(frame.block);
  }
  absl::Status delivered;
  {
    absl::MutexLock lock(&mutex_);
    ServerCall* call = calls_.Find(call_id);
    if (call != nullptr) {
      ServerCallStream* stream = call->stream();
      delivered =
          stream == nullptr
              ? absl::DataLossError("a message after the last one")
              : stream->Deliver(frame.has_message() ? &message : nullptr,
                                frame.last());
      if (delivered.ok()) return;
    }
  }
  if (absl::IsResourceExhausted(delivered)) EndOne(call_id, NoRoomForClient());
  if (!absl::IsDataLoss(delivered)) {
    // Or the call has ended while the message was on its way.
    DropArrived(message, link_.get());
  } else {
    Refuse(call_id, delivered);
  }
}

void ServerConnection::Credit(const link::Frame& frame) {
  const uint32_t call_id = frame.fields.call_id;
  absl::Status taken;
  {
    absl::MutexLock lock(&mutex_);
    ServerCall* call = calls_.Find(call_id);
    if (call == nullptr) return;  // it has ended meanwhile
    ServerCallStream* stream = call->stream();
    taken = stream == nullptr
                ? absl::DataLossError("credit where nothing was sent")
                : stream->Credit(frame.fields.aux);
  }
  if (!taken.ok()) Refuse(call_id, taken);
}

void ServerConnection::EndOne(uint32_t call_id, const Status& status) {
  ServerCall::Stopped stopped;
  {
    absl::MutexLock lock(&mutex_);
    ServerCall* call = calls_.Find(call_id);
    // Not there: the close and the cancel crossed.
    if (call == nullptr) return;
    stopped = call->Stop(status);
    calls_.Erase(call_id);
  }
  if (stopped.send_close) SendClose(call_id, status);
  if (stopped.group != nullptr) stopped.group->CancelAll();
}

bool ServerConnection::Forget(const ServerCall& call) {
  absl::MutexLock lock(&mutex_);
  // The number may be another call's by now.
  if (calls_.Find(call.call_id()) != &call) return false;
  calls_.Erase(call.call_id());
  return true;
}

void ServerConnection::SendClose(uint32_t call_id, const Status& status,
                                 absl::string_view trailing,
                                 uint32_t returned_block, bool* rang) {
  std::string metadata = absl::StrCat(StatusMetadata(status), trailing);
  link::OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.call_id = call_id;
  close.returned_block = returned_block;
  if (metadata.size() <= memory::kMaxMetadataBytes) {
    close.aux = static_cast<uint32_t>(status.error_code());
  } else {
    const Status too_large = MetadataTooLarge(metadata.size());
    close.aux = static_cast<uint32_t>(too_large.error_code());
    metadata = StatusMetadata(too_large);
  }
  close.metadata = metadata;
  const absl::Status sent = link_->Send(close, rang);
  if (!absl::IsResourceExhausted(sent)) return;
  // Not even memory for a long text: the code alone always fits.
  close.metadata = "";
  link_->Send(close, rang).IgnoreError();
}

void ServerConnection::Finish(std::unique_ptr<ServerCall> call) {
  // Clears messages, and may drop the last reference to this when `self` goes:
  // not under the lock.
  std::shared_ptr<ServerConnection> self;
  if (!call->Reset(&self)) return;
  std::unique_ptr<ServerCall> dropped;
  absl::MutexLock lock(&mutex_);
  if (spare_.size() == kMaxSpare) {
    dropped = std::move(spare_.front());
    spare_.erase(spare_.begin());
  }
  spare_.push_back(std::move(call));
}

std::unique_ptr<ServerCall> ServerConnection::TakeSpare(ServedMethod* method) {
  std::unique_ptr<ServerCall> call;
  for (auto spare = spare_.rbegin(); spare != spare_.rend(); ++spare) {
    if ((*spare)->method() != method) continue;
    call = std::move(*spare);
    spare_.erase(std::next(spare).base());
    break;
  }
  return call;
}

void ServerConnection::EndAll(const Status& status) {
  std::vector<uint32_t> to_close;
  std::vector<std::shared_ptr<CancelGroup>> groups;
  {
    absl::MutexLock lock(&mutex_);
    calls_.ForEach([&](uint32_t call_id, ServerCall* call) {
      ServerCall::Stopped stopped = call->Stop(status);
      if (stopped.send_close) to_close.push_back(call_id);
      if (stopped.group != nullptr) groups.push_back(std::move(stopped.group));
    });
    calls_.Clear();
  }
  for (const uint32_t call_id : to_close) SendClose(call_id, status);
  for (const auto& group : groups) group->CancelAll();
}

}  // namespace internal
}  // namespace shmrpc
