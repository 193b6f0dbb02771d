#include "transport/rpc/client_connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr uint32_t kSlotMask = 0xffff;
constexpr size_t kMaxCalls = kSlotMask + 1;

// With `message`, or with none if that is null.
absl::Status SendWith(link::Connection* link, const link::OutgoingFrame& frame,
                      const google::protobuf::MessageLite* message,
                      bool* rang) {
  if (message == nullptr) return link->Send(frame, rang);
  return link->Send(
      frame, [&](uint8_t* to) { WriteMessage(*message, to); }, rang);
}

// Is there a message that its reader may still have?
bool HasReadable(const ClientCall& call) {
  return !call.inbox.empty() &&
         !(call.done() && call.ended_by == ClientCall::EndedBy::kClient);
}

}  // namespace

ClientConnection::ClientConnection(link::Address address)
    : address_(std::move(address)) {}

absl::StatusOr<std::shared_ptr<ClientConnection>> ClientConnection::Connect(
    const link::Address& address, link::ConnectOptions options,
    bool copy_before_parse) {
  std::shared_ptr<ClientConnection> self(new ClientConnection(address));
  // The watch is destroyed with the connection, and by then its callback has
  // returned: a plain pointer is enough.
  ClientConnection* raw = self.get();
  options.on_server_death = [raw, then = std::move(options.on_server_death)] {
    raw->OnServerDeath();
    if (then != nullptr) then();
  };
  auto link = link::Connect(address, std::move(options));
  if (!link.ok()) return link.status();
  self->link_ = *std::move(link);
  if (copy_before_parse) self->link_.connection->CopyBeforeParse();
  self->peer_ =
      absl::StrCat(address.ToString(), "/", self->link_.connection->peer().pid);
  return self;
}

ClientConnection::~ClientConnection() {
  link_.watch.reset();
  {
    absl::MutexLock lock(&mutex_);
    EndLocked(&flush_call_, Cancelled(), ClientCall::EndedBy::kLoss);
  }
  if (flusher_.joinable()) flusher_.join();
}

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
    lead_waiter_.Interrupt();
  } else {
    PassLead();
  }
}

// --- opening
// ------------------------------------------------------------------

bool ClientConnection::Register(ClientCall* call, uint32_t method_id,
                                ClientWait* wait, bool* bound) {
  absl::MutexLock lock(&mutex_);
  if (free_ids_.empty()) {
    if (slots_.size() == kMaxCalls) return false;
    free_ids_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  call->id = free_ids_.back();
  free_ids_.pop_back();
  slots_[call->id & kSlotMask] = call;
  *bound = method_id < bound_methods_.size() && bound_methods_[method_id] != 0;
  if (wait != nullptr && !led_) {
    TakeLead(wait);
    wait->leads = true;
  }
  return true;
}

void ClientConnection::Unregister(ClientCall* call) {
  slots_[call->id & kSlotMask] = nullptr;
  // Another generation: a late frame for this id finds nobody.
  free_ids_.push_back(call->id + static_cast<uint32_t>(kMaxCalls));
}

ClientCall* ClientConnection::Find(uint32_t id) {
  const uint32_t slot = id & kSlotMask;
  if (slot >= slots_.size()) return nullptr;
  ClientCall* call = slots_[slot];
  return call != nullptr && call->id == id ? call : nullptr;
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
  bound_methods_[method.id()] = 1;
  return status;
}

absl::Status ClientConnection::Open(
    ClientCall* call, const RpcMethod& method, absl::string_view metadata,
    const google::protobuf::MessageLite* message, uint64_t message_bytes,
    bool last, ClientWait* wait) {
  // Before a frame for it, true or not, can find it.
  if (message != nullptr && !last) {
    call->window.Charge(link::MessageCost(message_bytes));
  }
  // Others' replies would wait while a large message is written.
  if (metadata.size() + message_bytes > link::kMaxInlineBytes) wait = nullptr;
  bool bound = false;
  if (call->streams) {
    call->inbox.SetAccount(link_.connection->memory_account());
  }
  if (!Register(call, method.id(), wait, &bound)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "channel to ", peer_, ": ", kMaxCalls, " calls are in flight already"));
  }
  absl::Status sent = bound ? absl::OkStatus() : Bind(method);
  if (sent.ok()) {
    link::OutgoingFrame open;
    open.kind = memory::kFrameOpen;
    open.has_message = message != nullptr;
    open.last = last;
    open.call_id = call->id;
    open.aux = method.id();
    open.deadline_ns = call->deadline_ns;
    open.metadata = metadata;
    open.message_bytes = message_bytes;
    call->sent_bytes.store(message_bytes, std::memory_order_relaxed);
    bool rang = false;
    sent = SendWith(link_.connection.get(), open, message, &rang);
    // Relaxed: advice.
    call->rang.store(rang, std::memory_order_relaxed);
  }
  if (!sent.ok()) {
    mutex_.Lock();
    if (wait != nullptr && wait->leads) LeaveLead();
    Unregister(call);
    // A server that closes calls at random may have hit this one: who reads its
    // close must be through with it, and does the last of that under the mutex.
    while (call->state.load(std::memory_order_acquire) ==
           ClientCall::State::kEnding) {
      mutex_.Unlock();
      platform::YieldThread();
      mutex_.Lock();
    }
    mutex_.Unlock();
    return sent;
  }
  // A unary call goes on to AwaitEnd, which takes the lock anyway.
  if (call->streams) {
    mutex_.Lock();
    const bool cancel = NoteOpenedLocked(call);
    mutex_.Unlock();
    if (cancel) SendCancel(call->id);
  }
  return sent;
}

bool ClientConnection::NoteOpenedLocked(ClientCall* call) {
  if (call->opened) return false;
  call->opened = true;
  // Somebody cancelled it meanwhile, and could not tell the server yet.
  return call->done() && call->ended_by == ClientCall::EndedBy::kClient;
}

// --- ending
// ------------------------------------------------------------------

bool ClientConnection::EndLocked(ClientCall* call, const Status& status,
                                 ClientCall::EndedBy ended_by) {
  if (!call->TryEnd()) {
    GiveUpUnread(call, status, ended_by);
    return false;
  }
  call->status = status;
  call->ended_by.store(ended_by, std::memory_order_relaxed);
  // SYNC(call-done): release; the status is written.
  call->state.store(ClientCall::State::kDone, std::memory_order_release);
  WakeReady(*call);
  return call->opened && ended_by == ClientCall::EndedBy::kClient;
}

void ClientConnection::GiveUpUnread(ClientCall* call, const Status& status,
                                    ClientCall::EndedBy ended_by) {
  // Once it is forgotten, what it has is its caller's alone.
  if (call->response != nullptr || Find(call->id) != call) return;
  const bool by_client = ended_by == ClientCall::EndedBy::kClient;
  if (!call->done()) {
    // DeliverClose comes back to it.
    if (by_client) call->given_up = status;
    return;
  }
  if (call->ended_by != ClientCall::EndedBy::kServer || call->inbox.empty()) {
    return;
  }
  // After a loss the server's status stands, but nothing else would ever end
  // the wait for a reader.
  if (by_client) {
    call->status = status;
    call->trailing.clear();
  }
  call->ended_by.store(ended_by, std::memory_order_relaxed);
  WakeReady(*call);
}

void ClientConnection::End(ClientCall* call, const Status& status) {
  bool cancel;
  {
    absl::MutexLock lock(&mutex_);
    cancel = EndLocked(call, status, ClientCall::EndedBy::kClient);
  }
  if (cancel) SendCancel(call->id);
}

bool ClientConnection::EndIfExpired(ClientCall* call) {
  if (call->deadline_ns == kInfiniteFutureNs || call->done() ||
      platform::MonotonicNowNs() < call->deadline_ns) {
    return false;
  }
  End(call, DeadlineExceeded());
  return true;
}

void ClientConnection::SendCancel(uint32_t call_id) {
  link::OutgoingFrame cancel;
  cancel.kind = memory::kFrameCancel;
  cancel.call_id = call_id;
  link_.connection->Send(cancel).IgnoreError();  // broken: cancelled anyway
  if (link_.connection->BacklogBytes() != 0) FlushInBackground();
}

void ClientConnection::SendCredit(const ClientCall& call, uint32_t credit) {
  if (credit == 0 || call.done()) return;
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameCredit;
  frame.call_id = call.id;
  frame.aux = credit;
  link_.connection->Send(frame).IgnoreError();  // broken: nobody writes
}

void ClientConnection::AwaitEnd(ClientWait* wait) {
  ClientCall* const call = wait->call;
  if (wait->leads && !call->done()) Lead(wait);
  mutex_.Lock();
  const bool cancel = NoteOpenedLocked(call);
  if (wait->leads) LeaveLead();
  // Most unary calls are over by now.
  if (call->response == nullptr || !call->done()) {
    if (wait->leads) EndLate(wait);
    AwaitLocked(wait);
  }
  Unregister(call);
  mutex_.Unlock();
  if (cancel) SendCancel(call->id);
  // Forgotten: nobody else touches it any more.
  if (call->inbox.empty()) return;
  for (const ArrivedMessage& unread : call->inbox.TakeAll()) {
    DropArrived(unread, link_.connection.get());
  }
}

absl::Status ClientConnection::EndReason() {
  // SYNC(server-dead): acquire pairs with the release in OnServerDeath.
  if (server_dead_.load(std::memory_order_acquire)) {
    return absl::UnavailableError(absl::StrCat(
        "server ", peer_, " ended (its process exited or was killed)"));
  }
  if (link_.connection->PeerClosed()) {
    // The look itself may have found the memory gone.
    if (link_.connection->broken()) return link_.connection->status();
    return absl::UnavailableError(
        absl::StrCat("server ", peer_, " closed the connection"));
  }
  return absl::OkStatus();
}

void ClientConnection::FailAll(const Status& status) {
  // Relaxed: read by usable(), whose answer is only advice.
  failed_.store(true, std::memory_order_relaxed);
  link_.connection->Close();
  absl::MutexLock lock(&mutex_);
  for (ClientCall* call : slots_) {
    if (call != nullptr) EndLocked(call, status, ClientCall::EndedBy::kLoss);
  }
}

// --- messages
// ------------------------------------------------------------------

bool ClientConnection::SendMessage(ClientCall* call,
                                   const google::protobuf::MessageLite* message,
                                   uint64_t message_bytes, bool last) {
  if (EndIfExpired(call)) return false;
  // The server may have ended the call, or given credit.
  // Relaxed: Pump looks again.
  if (link_.connection->HasNews() ||
      server_dead_.load(std::memory_order_relaxed)) {
    Pump();
  }
  if (message != nullptr) {
    if (!call->window.open()) {
      ClientWait wait(call, ClientWait::For::kCredit);
      Await(&wait);
    }
    if (call->done()) return false;
    call->window.Charge(link::MessageCost(message_bytes));
  }
  if (call->done()) return false;
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.has_message = message != nullptr;
  frame.last = last;
  frame.call_id = call->id;
  frame.message_bytes = message_bytes;
  call->sent_bytes.store(message_bytes, std::memory_order_relaxed);
  bool rang = false;
  const absl::Status sent =
      SendWith(link_.connection.get(), frame, message, &rang);
  // Relaxed: advice.
  if (rang) call->rang.store(true, std::memory_order_relaxed);
  if (sent.ok()) return true;
  if (absl::IsResourceExhausted(sent)) {
    End(call, CallStatus(sent));
  } else {
    // What has come can still be read.
    FailAll(CallStatus(sent));
  }
  return false;
}

void ClientConnection::AwaitSent(ClientCall* call) {
  if (link_.connection->BacklogBytes() == 0) return;
  ClientWait wait(call, ClientWait::For::kSent);
  Await(&wait);
}

bool ClientConnection::AwaitMessage(ClientWait* wait, bool* cancel) {
  AwaitLocked(wait);
  if (wait->taken) return true;
  ClientCall* const call = wait->call;
  if (!HasReadable(*call)) return false;
  const uint64_t size_bytes = call->inbox.next_size_bytes();
  if (!call->TooLong(size_bytes)) return true;
  *cancel =
      EndLocked(call, ReceivedTooLarge(size_bytes, call->max_receive_bytes),
                ClientCall::EndedBy::kClient);
  return false;
}

bool ClientConnection::PeekMessage(ClientCall* call, uint64_t* size_bytes) {
  if (EndIfExpired(call)) return false;
  ClientWait wait(call, ClientWait::For::kMessage);
  bool cancel = false;
  bool there;
  {
    absl::MutexLock lock(&mutex_);
    there = AwaitMessage(&wait, &cancel);
    if (there) *size_bytes = call->inbox.next_size_bytes();
  }
  if (cancel) SendCancel(call->id);
  return there;
}

bool ClientConnection::ReadMessage(ClientCall* call,
                                   google::protobuf::MessageLite* message) {
  if (EndIfExpired(call)) return false;
  ClientWait wait(call, ClientWait::For::kMessage);
  wait.into = message;
  ArrivedMessage arrived;
  bool cancel = false;
  bool there;
  {
    absl::MutexLock lock(&mutex_);
    there = AwaitMessage(&wait, &cancel);
    if (there && !wait.taken) arrived = call->inbox.Pop(&wait.credit);
  }
  if (cancel) SendCancel(call->id);
  if (!there) return false;
  if (!wait.taken) {
    wait.parsed = ParseArrived(arrived, link_.connection.get(), message);
  } else if (wait.block != nullptr) {
    wait.parsed = ParseArrived(*wait.block, link_.connection.get(), message);
  }
  SendCredit(*call, wait.credit);
  switch (wait.parsed) {
    case ParseResult::kParsed:
      return true;
    case ParseResult::kMalformed:
      End(call, Status(StatusCode::INTERNAL,
                       absl::StrCat("a message of the stream is no ",
                                    message->GetTypeName())));
      return false;
    case ParseResult::kFaulted:
      break;
  }
  End(call, MemoryGone());
  return false;
}

void ClientConnection::AwaitInitial(ClientCall* call) {
  if (EndIfExpired(call)) return;
  ClientWait wait(call, ClientWait::For::kInitial);
  Await(&wait);
}

std::string ClientConnection::InitialMetadata(ClientCall* call) {
  absl::MutexLock lock(&mutex_);
  return call->initial;
}

void ClientConnection::Abandon(ClientCall* call) {
  End(call, Cancelled());
  AwaitEnd(call);
  if (call->late_response != nullptr) {
    DropArrived(*call->late_response, link_.connection.get());
  }
}

void ClientConnection::ParseLateResponse(ClientCall* call) {
  switch (ParseArrived(*call->late_response, link_.connection.get(),
                       call->response)) {
    case ParseResult::kParsed:
      return;
    case ParseResult::kMalformed:
      call->status = NoMessage();
      return;
    case ParseResult::kFaulted:
      break;
  }
  call->status = MemoryGone();
}

}  // namespace internal
}  // namespace shmrpc
