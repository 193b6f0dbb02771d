#include "transport/rpc/client_connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

// How long a caller polls before it sleeps: some tens of microseconds, about
// the price of a sleep and a wake-up, so that polling at most doubles the wait.
// Each round looks many times with a pause between; the last ones give the core
// away after each look.
constexpr int kPollsPerRound = 50;
constexpr int kBusyRounds = 8;
constexpr int kRounds = 100;

// Frames between two looks at the clock while they come without a pause.
constexpr int kFramesPerClock = 64;

constexpr uint32_t kSlotMask = 0xffff;
constexpr size_t kMaxCalls = kSlotMask + 1;

// Looks again after 1, 10, 100 ms, then each second: an event is only a hint.
constexpr int64_t kNapsNs[] = {1000000, 10000000, 100000000, 1000000000};
constexpr int kLongestNap = 3;

Status MemoryGone() {
  return Status(StatusCode::UNAVAILABLE,
                "the connection's shared memory is gone (truncated, or the "
                "system could not supply a page)");
}

bool Expired(const ClientCall& call) {
  return call.deadline_ns != kInfiniteFutureNs &&
         platform::MonotonicNowNs() >= call.deadline_ns;
}

Status NoMessage() {
  return Status(StatusCode::UNIMPLEMENTED,
                "No message returned for unary request");
}

}  // namespace

ClientConnection::ClientConnection(link::Address address)
    : address_(std::move(address)) {}

absl::StatusOr<std::shared_ptr<ClientConnection>> ClientConnection::Connect(
    const link::Address& address, int64_t deadline_ns,
    std::function<void()> on_end, std::shared_ptr<link::ConnectCancel> cancel) {
  std::shared_ptr<ClientConnection> self(new ClientConnection(address));
  // The watch is destroyed with the connection, and by then its callback has
  // returned: a plain pointer is enough.
  ClientConnection* raw = self.get();
  auto link = link::Connect(
      address, deadline_ns,
      [raw, on_end = std::move(on_end)] {
        raw->OnServerDeath();
        if (on_end != nullptr) on_end();
      },
      std::move(cancel));
  if (!link.ok()) return link.status();
  self->link_ = *std::move(link);
  self->peer_ = std::make_shared<const std::string>(absl::StrCat(
      address.ToString(), "/", self->link_.connection->peer().pid));
  return self;
}

ClientConnection::~ClientConnection() { link_.watch.reset(); }

bool ClientConnection::usable() const {
  // Relaxed: a stale "usable" is found out by the call itself.
  return !server_dead_.load(std::memory_order_relaxed) &&
         !failed_.load(std::memory_order_relaxed) &&
         !link_.connection->broken() && !link_.connection->PeerClosed();
}

void ClientConnection::OnServerDeath() {
  absl::MutexLock lock(&mutex_);
  // SYNC(server-dead): release pairs with the acquire in EndReason.
  server_dead_.store(true, std::memory_order_release);
  // Whoever leads looks at the ring once more and then fails the others.
  if (leader_ != nullptr) {
    leader_->waiter->Interrupt();
  } else {
    PassLead();
  }
}

bool ClientConnection::Register(ClientCall* call, uint32_t method_id,
                                bool* bound) {
  absl::MutexLock lock(&mutex_);
  if (free_ids_.empty()) {
    if (slots_.size() == kMaxCalls) return false;
    free_ids_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  if (spare_waiters_.empty()) {
    spare_waiters_.push_back(std::make_unique<platform::Waiter>());
  }
  call->waiter = std::move(spare_waiters_.back());
  spare_waiters_.pop_back();
  call->id = free_ids_.back();
  free_ids_.pop_back();
  slots_[call->id & kSlotMask] = call;
  call->next = in_flight_;
  if (in_flight_ != nullptr) in_flight_->previous = call;
  in_flight_ = call;
  *bound = method_id < bound_methods_.size() && bound_methods_[method_id];
  return true;
}

void ClientConnection::Unregister(ClientCall* call) {
  slots_[call->id & kSlotMask] = nullptr;
  // An interrupt that it may still hold ends the next call's first sleep early.
  spare_waiters_.push_back(std::move(call->waiter));
  // Another generation: a late reply to this id finds nobody.
  free_ids_.push_back(call->id + static_cast<uint32_t>(kMaxCalls));
  if (call->next != nullptr) call->next->previous = call->previous;
  (call->previous != nullptr ? call->previous->next : in_flight_) = call->next;
}

void ClientConnection::PassLead() {
  for (ClientCall* call = in_flight_; call != nullptr; call = call->next) {
    // Not a thread that still writes its request, which may take long: if no
    // other waits, it takes the lead itself when it is through. Relaxed: states
    // change under the mutex, which is held.
    if (call->awaiting && call->state.load(std::memory_order_relaxed) ==
                              ClientCall::State::kWaiting) {
      call->waiter->Interrupt();
      return;
    }
  }
}

Status ClientConnection::UnaryCall(const RpcMethod& method, int64_t deadline_ns,
                                   const google::protobuf::MessageLite& request,
                                   uint64_t request_bytes,
                                   google::protobuf::MessageLite* response,
                                   int max_receive_bytes, bool* sent) {
  *sent = false;
  ClientCall call(response, deadline_ns, max_receive_bytes);
  bool bound = false;
  if (!Register(&call, method.id(), &bound)) {
    *sent = true;  // trying again would not help
    return Status(StatusCode::RESOURCE_EXHAUSTED,
                  absl::StrCat("channel to ", *peer_, ": ", kMaxCalls,
                               " calls are in flight already"));
  }
  absl::Status request_sent = bound ? absl::OkStatus() : Bind(method);
  if (request_sent.ok()) {
    request_sent = SendRequest(method, &call, request, request_bytes);
  }
  if (!request_sent.ok()) {
    *sent = absl::IsResourceExhausted(request_sent);
    absl::MutexLock lock(&mutex_);
    Unregister(&call);
    if (leader_ == nullptr) PassLead();
    return CallStatus(request_sent);
  }
  *sent = true;
  Await(&call);
  if (call.block_view != nullptr) return ParseBlock(&call);
  return std::move(call.status);
}

absl::Status ClientConnection::Bind(const RpcMethod& method) {
  link::OutgoingFrame bind;
  bind.kind = memory::kFrameBind;
  bind.aux = method.id();
  bind.metadata = method.name();
  const absl::Status status = link_.connection->Send(bind);
  if (!status.ok()) return status;
  // Only now: a call of another thread that sees it is sent after the name.
  absl::MutexLock lock(&mutex_);
  if (bound_methods_.size() <= method.id()) {
    bound_methods_.resize(method.id() + 1);
  }
  bound_methods_[method.id()] = true;
  return status;
}

absl::Status ClientConnection::SendRequest(
    const RpcMethod& method, ClientCall* call,
    const google::protobuf::MessageLite& request, uint64_t request_bytes) {
  link::OutgoingFrame open;
  open.kind = memory::kFrameOpen;
  open.has_message = true;
  open.call_id = call->id;
  open.aux = method.id();
  open.deadline_ns = call->deadline_ns;
  open.message_bytes = request_bytes;
  return link_.connection->Send(
      open, [&](uint8_t* to) { WriteMessage(request, to); }, &call->rang);
}

void ClientConnection::Await(ClientCall* call) {
  mutex_.Lock();
  call->awaiting = true;
  while (!call->done()) {
    if (leader_ == nullptr) {
      leader_ = call;
      mutex_.Unlock();
      Lead(call);
      mutex_.Lock();
      leader_ = nullptr;
    } else {
      mutex_.Unlock();
      call->waiter->Wait(nullptr, call->deadline_ns);
      mutex_.Lock();
    }
    // Relaxed: states of others change under the mutex, which is held.
    if (call->deadline_ns != kInfiniteFutureNs &&
        call->state.load(std::memory_order_relaxed) ==
            ClientCall::State::kWaiting &&
        platform::MonotonicNowNs() >= call->deadline_ns) {
      break;
    }
  }
  const bool expired = !call->done();
  Unregister(call);
  if (leader_ == nullptr && in_flight_ != nullptr) PassLead();
  mutex_.Unlock();
  if (!expired) return;
  call->status = DeadlineExceeded();
  link::OutgoingFrame cancel;
  cancel.kind = memory::kFrameCancel;
  cancel.call_id = call->id;
  link_.connection->Send(cancel).IgnoreError();  // broken: cancelled anyway
}

void ClientConnection::Lead(ClientCall* call) {
  link::Connection& connection = *link_.connection;
  link::Frame frame;
  // Who had to wake the server sleeps at once: polling would hold a core that
  // the server may need.
  int rounds = call->rang ? kRounds : 0;
  int naps = 0;
  for (;;) {
    // Read before the ring is emptied: what was sent before the end counts.
    const absl::Status end = EndReason();
    bool progress = false;
    for (int taken = 1; connection.Next(&frame); ++taken) {
      progress = true;
      Deliver(frame, call);
      if (call->done()) return;
      // Others' replies may come without a pause; our deadline holds anyway.
      if (taken % kFramesPerClock == 0 && Expired(*call)) return;
    }
    if (!end.ok() || connection.broken()) {
      FailAll(CallStatus(end.ok() ? connection.status() : end));
      return;
    }
    connection.Flush();
    if (progress) rounds = naps = 0;
    if (rounds == kRounds) {
      if (!Sleep(call, &naps)) return;
      continue;
    }
    if (++rounds <= kBusyRounds) {
      connection.Poll(kPollsPerRound);
    } else {
      platform::YieldThread();
    }
    if (Expired(*call) && !connection.HasRecord()) return;
  }
}

bool ClientConnection::Sleep(ClientCall* call, int* naps) {
  link::Connection& connection = *link_.connection;
  connection.Park();
  if (connection.HasRecord() || connection.broken() || !EndReason().ok()) {
    connection.Unpark();
    return true;
  }
  const int nap = std::min(*naps, kLongestNap);
  const int64_t look_again_ns = platform::MonotonicNowNs() + kNapsNs[nap];
  const platform::WaitResult result = call->waiter->Wait(
      &link_.own_event, std::min(call->deadline_ns, look_again_ns));
  connection.Unpark();
  if (result == platform::WaitResult::kPoisoned) {
    connection.Fail(absl::DataLossError(
        absl::StrCat("connection to ", *peer_, ": its shared memory is gone")));
    return true;
  }
  if (result != platform::WaitResult::kTimeout) {
    *naps = 0;
    return true;
  }
  if (connection.HasRecord()) {
    // It came just as the nap ended, or its wake-up was lost.
    SHMRPC_LOG(kInfo) << "connection to " << *peer_
                      << ": something had come without a wake-up";
    return true;
  }
  if (platform::MonotonicNowNs() >= call->deadline_ns) return false;
  // Perhaps it was our own signal that got lost.
  connection.RingPeer();
  ++*naps;
  if (nap == kLongestNap && link::ServerGone(address_, connection.peer())) {
    connection.Fail(absl::UnavailableError(absl::StrCat(
        "server ", *peer_, " gave up its name while calls were in flight")));
  }
  return true;
}

absl::Status ClientConnection::EndReason() {
  // SYNC(server-dead): acquire pairs with the release in OnServerDeath.
  if (server_dead_.load(std::memory_order_acquire)) {
    return absl::UnavailableError(absl::StrCat(
        "server ", *peer_, " ended (its process exited or was killed)"));
  }
  if (link_.connection->PeerClosed()) {
    // The look itself may have found the memory gone.
    if (link_.connection->broken()) return link_.connection->status();
    return absl::UnavailableError(
        absl::StrCat("server ", *peer_, " closed the connection"));
  }
  return absl::OkStatus();
}

void ClientConnection::FailAll(const Status& status) {
  // Relaxed: read by usable(), whose answer is only advice.
  failed_.store(true, std::memory_order_relaxed);
  link_.connection->Close();
  absl::MutexLock lock(&mutex_);
  for (ClientCall* call = in_flight_; call != nullptr; call = call->next) {
    if (call->done()) continue;
    call->status = status;
    // SYNC(call-done)
    call->state.store(ClientCall::State::kDone, std::memory_order_release);
    call->waiter->Interrupt();
  }
}

void ClientConnection::Deliver(const link::Frame& frame, ClientCall* own) {
  if (frame.fields.call_id == own->id &&
      frame.fields.kind == memory::kFrameClose) {
    // The leader's own call: no other thread touches it.
    own->status = TakeResponse(frame, own);
    own->state.store(ClientCall::State::kDone, std::memory_order_release);
    return;
  }
  ClientCall* call = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    const uint32_t slot = frame.fields.call_id & kSlotMask;
    if (frame.fields.kind == memory::kFrameClose && slot < slots_.size() &&
        slots_[slot] != nullptr && slots_[slot]->id == frame.fields.call_id &&
        !slots_[slot]->done()) {
      call = slots_[slot];
      // From here the caller waits for us, even past its deadline. Relaxed:
      // under the mutex.
      call->state.store(ClientCall::State::kDelivering,
                        std::memory_order_relaxed);
    }
  }
  if (call == nullptr) {
    // The reply to a call that nobody waits for any more.
    if (frame.in_block()) link_.connection->GiveBackBlock(frame.block);
    return;
  }
  call->status = TakeResponse(frame, call);
  absl::MutexLock lock(&mutex_);
  // SYNC(call-done): release; status and response are written.
  call->state.store(ClientCall::State::kDone, std::memory_order_release);
  call->waiter->Interrupt();
}

Status ClientConnection::TakeResponse(const link::Frame& frame,
                                      ClientCall* call) {
  Status status;
  if (frame.fields.aux != StatusCode::OK || frame.fields.metadata_bytes != 0) {
    std::string metadata;
    if (!CopyMetadata(frame, &metadata)) return MemoryGone();
    status = StatusFromWire(frame.fields.aux, metadata);
  }
  const int limit = call->max_receive_bytes;
  if (status.ok()) {
    if (!frame.has_message()) {
      status = NoMessage();
    } else if (limit >= 0 &&
               frame.message_bytes > static_cast<uint64_t>(limit)) {
      status = ReceivedTooLarge(frame.message_bytes, limit);
    } else if (frame.in_block()) {
      // Large: the caller parses it itself, without keeping the lead.
      call->block_view = frame.block_view;
      call->block_data = frame.message;
      call->block_bytes = frame.message_bytes;
      call->block = frame.block;
      return status;
    }
  }
  if (frame.in_block()) link_.connection->GiveBackBlock(frame.block);
  if (!status.ok()) return status;
  switch (ParseMessage(*frame.view, frame.message, frame.message_bytes,
                       call->response)) {
    case ParseResult::kParsed:
      return status;
    case ParseResult::kMalformed:
      return NoMessage();
    case ParseResult::kFaulted:
      break;
  }
  return MemoryGone();
}

Status ClientConnection::ParseBlock(ClientCall* call) {
  const ParseResult result = ParseMessage(*call->block_view, call->block_data,
                                          call->block_bytes, call->response);
  link_.connection->GiveBackBlock(call->block);
  switch (result) {
    case ParseResult::kParsed:
      return Status();
    case ParseResult::kMalformed:
      return NoMessage();
    case ParseResult::kFaulted:
      break;
  }
  link_.connection->Fail(absl::DataLossError("an arena segment is gone"));
  return MemoryGone();
}

}  // namespace internal
}  // namespace shmrpc
