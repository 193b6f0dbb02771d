// What has come for which call. Everything here runs on the thread that leads.

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/rpc/client_connection.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {

bool ClientConnection::Deliver(const link::Frame& frame, ClientWait* own) {
  switch (frame.fields.kind) {
    case memory::kFrameClose:
      return DeliverClose(frame, own);
    case memory::kFrameMessage:
      return DeliverMessage(frame, own);
    case memory::kFrameCredit:
      return DeliverCredit(frame, own);
    default:
      return false;  // ValidateFrame lets no other kind pass
  }
}

void ClientConnection::Drop(const link::Frame& frame) {
  if (frame.holds_block()) link_.connection->GiveBackBlock(frame.block);
}

Status ClientConnection::NoRoomForServer() const {
  return MemoryLimit(absl::StrCat("channel to ", peer_), "server",
                     link_.connection->memory_account().get());
}

void ClientConnection::FailBeyondWindow() {
  link_.connection->Fail(absl::DataLossError(
      absl::StrCat("server ", peer_, " sent beyond a call's window")));
}

// --- close
// ------------------------------------------------------------------

bool ClientConnection::DeliverClose(const link::Frame& frame, ClientWait* own) {
  if (own != nullptr && !own->call->streams &&
      own->call->id == frame.fields.call_id) {
    // The leader's own unary call: no lock needed, and nobody to wake.
    if (own->call->TryEnd()) {
      TakeClose(frame, own->call);
      // SYNC(call-done)
      own->call->state.store(ClientCall::State::kDone,
                             std::memory_order_release);
    } else {
      Drop(frame);
    }
    return own->call->done();
  }
  ClientCall* call;
  {
    absl::MutexLock lock(&mutex_);
    call = Find(frame.fields.call_id);
    // From here its threads wait for us, even past its deadline.
    if (call != nullptr && !call->TryEnd()) call = nullptr;
  }
  if (call == nullptr) {
    // Nobody waits for it any more.
    Drop(frame);
    return false;
  }
  TakeClose(frame, call);
  absl::MutexLock lock(&mutex_);
  // SYNC(call-done): release; status and response are written.
  call->state.store(ClientCall::State::kDone, std::memory_order_release);
  WakeReady(*call, own);
  if (call->given_up) {
    GiveUpUnread(call, *call->given_up, ClientCall::EndedBy::kClient);
  }
  return own != nullptr && Ready(*own);
}

void ClientConnection::TakeClose(const link::Frame& frame, ClientCall* call) {
  call->ended_by.store(ClientCall::EndedBy::kServer, std::memory_order_relaxed);
  if (frame.refused()) {
    Drop(frame);
    call->status = NoRoomForServer();
    return;
  }
  if (frame.fields.metadata_bytes != 0 &&
      !CopyMetadata(frame, &call->trailing)) {
    call->status = MemoryGone();
    return;
  }
  if (frame.fields.aux != StatusCode::OK) {
    call->status = StatusFromWire(frame.fields.aux, call->trailing);
  }
  if (call->response != nullptr) {
    if (call->status.ok()) {
      call->status = TakeResponse(frame, call);
    } else {
      Drop(frame);
    }
    return;
  }
  if (!frame.has_message()) {
    Drop(frame);
    return;
  }
  // A server that does not stream answers a client that expects a stream.
  if (call->TooLong(frame.message_bytes)) {
    Drop(frame);
    call->status =
        ReceivedTooLarge(frame.message_bytes, call->max_receive_bytes);
    return;
  }
  ArrivedMessage message;
  if (!KeepMessage(frame, &message)) {
    call->status = MemoryGone();
    return;
  }
  Inbox::Pushed pushed;
  {
    absl::MutexLock lock(&mutex_);
    pushed = call->inbox.Push(&message);
  }
  if (pushed == Inbox::Pushed::kKept) return;
  if (pushed == Inbox::Pushed::kBeyondWindow) {
    FailBeyondWindow();
  } else {
    call->status = NoRoomForServer();
  }
  DropArrived(message, link_.connection.get());
}

Status ClientConnection::TakeResponse(const link::Frame& frame,
                                      ClientCall* call) {
  std::unique_ptr<ArrivedMessage> early;
  if (call->streams || !call->inbox.empty()) {
    absl::MutexLock lock(&mutex_);
    uint32_t credit;
    if (!call->inbox.empty()) {
      early = std::make_unique<ArrivedMessage>(call->inbox.Pop(&credit));
    }
    if (!call->inbox.empty() || (early != nullptr && frame.has_message())) {
      Drop(frame);
      if (early != nullptr) DropArrived(*early, link_.connection.get());
      return TooManyMessages();
    }
  }
  if (early != nullptr) {
    Drop(frame);
    call->late_response = std::move(early);
    return Status();
  }
  if (!frame.has_message()) {
    Drop(frame);
    return NoMessage();
  }
  if (call->TooLong(frame.message_bytes)) {
    Drop(frame);
    return ReceivedTooLarge(frame.message_bytes, call->max_receive_bytes);
  }
  if (frame.in_block()) {
    // Large: the caller parses it itself, without keeping the lead.
    call->late_response = std::make_unique<ArrivedMessage>();
    KeepMessage(frame, call->late_response.get());
    return Status();
  }
  switch (ParseMessage(*frame.view, frame.message, frame.message_bytes,
                       link_.connection->copy_before_parse(), call->response)) {
    case ParseResult::kParsed:
      return Status();
    case ParseResult::kMalformed:
      return NoMessage();
    case ParseResult::kFaulted:
      break;
  }
  return MemoryGone();
}

// --- messages
// ------------------------------------------------------------------

bool ClientConnection::DeliverMessage(const link::Frame& frame,
                                      ClientWait* own) {
  const bool refused = frame.refused();
  const bool in_place = frame.has_message() && !refused && own != nullptr &&
                        own->into != nullptr && !own->taken &&
                        own->call->id == frame.fields.call_id &&
                        own->call->inbox.empty() &&
                        !own->call->TooLong(frame.message_bytes);
  if (in_place && !frame.initial()) {
    TakeInPlace(frame, own);
    return own->taken;
  }
  std::string initial;
  if (refused) {
    Drop(frame);
  } else if (frame.initial() && !CopyMetadata(frame, &initial)) {
    link_.connection->Fail(absl::DataLossError("metadata's memory is gone"));
    return false;
  }
  ArrivedMessage message;
  if (in_place) {
    TakeInPlace(frame, own);
  } else if (!frame.has_message() || refused) {
    if (!refused) Drop(frame);
  } else if (!KeepMessage(frame, &message)) {
    link_.connection->Fail(absl::DataLossError("the ring's memory is gone"));
    return false;
  }
  bool cancel = false;
  bool ready;
  ClientCall* call;
  {
    absl::MutexLock lock(&mutex_);
    call = Find(frame.fields.call_id);
    // Relaxed: decided under the mutex or not at all.
    if (call != nullptr && call->state.load(std::memory_order_relaxed) !=
                               ClientCall::State::kOpen) {
      call = nullptr;
    }
    if (call != nullptr && refused) {
      cancel = EndLocked(call, NoRoomForServer(), ClientCall::EndedBy::kClient);
    } else if (call != nullptr) {
      if (frame.initial() && !call->initial_arrived) {
        call->initial = std::move(initial);
        call->initial_arrived = true;
      }
      if (frame.has_message() && !in_place) {
        // One of a stream waits for its reader, behind those before it.
        if (call->response != nullptr && call->TooLong(frame.message_bytes)) {
          cancel = EndLocked(
              call,
              ReceivedTooLarge(frame.message_bytes, call->max_receive_bytes),
              ClientCall::EndedBy::kClient);
        } else if (call->response != nullptr && !call->inbox.empty()) {
          // One too many; and nobody would read those that follow.
          cancel =
              EndLocked(call, TooManyMessages(), ClientCall::EndedBy::kClient);
        } else if (const auto pushed = call->inbox.Push(&message);
                   pushed == Inbox::Pushed::kBeyondWindow) {
          FailBeyondWindow();
        } else if (pushed == Inbox::Pushed::kNoMemory) {
          cancel =
              EndLocked(call, NoRoomForServer(), ClientCall::EndedBy::kClient);
        }
      }
      WakeReady(*call, own);
    }
    ready = own != nullptr && Ready(*own);
  }
  // Still here: nobody wanted it.
  DropArrived(message, link_.connection.get());
  if (cancel) SendCancel(frame.fields.call_id);
  return ready;
}

void ClientConnection::TakeInPlace(const link::Frame& frame, ClientWait* own) {
  // This thread leads and reads the call: nobody else touches its inbox.
  if (!own->call->inbox.Pass(frame.message_bytes, &own->credit)) {
    FailBeyondWindow();
    Drop(frame);
    return;
  }
  own->taken = true;
  if (frame.in_block()) {
    own->block = std::make_unique<ArrivedMessage>();
    KeepMessage(frame, own->block.get());
    return;
  }
  own->parsed = ParseMessage(*frame.view, frame.message, frame.message_bytes,
                             link_.connection->copy_before_parse(), own->into);
}

bool ClientConnection::DeliverCredit(const link::Frame& frame,
                                     ClientWait* own) {
  absl::MutexLock lock(&mutex_);
  ClientCall* call = Find(frame.fields.call_id);
  if (call != nullptr) {
    if (!call->window.Credit(frame.fields.aux)) {
      link_.connection->Fail(absl::DataLossError(
          absl::StrCat("server ", peer_, " gave credit for ", frame.fields.aux,
                       " bytes, more than it was sent")));
    }
    WakeReady(*call, own);
  }
  return own != nullptr && Ready(*own);
}

}  // namespace internal
}  // namespace shmrpc
