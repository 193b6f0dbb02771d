#include "transport/rpc/server_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/rpc/server_call.h"
#include "transport/rpc/server_connection.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {

ServerCallStream::ServerCallStream(ServerCall* call, bool requests_ended)
    : call_(call),
      turn_(this, call->deadline_ns()),
      requests_ended_(requests_ended) {
  inbox_.SetAccount(call->connection()->link().memory_account());
}

ServerCallStream::~ServerCallStream() {
  for (const ArrivedMessage& m : inbox_.TakeAll()) {
    DropArrived(m, &call_->connection()->link());
  }
}

// --- what happens to the call
// ------------------------------------------------------------

absl::Status ServerCallStream::Deliver(ArrivedMessage* message, bool last) {
  absl::MutexLock lock(&mutex_);
  if (requests_ended_) {
    return absl::DataLossError("a message after the last one");
  }
  if (message != nullptr) {
    switch (inbox_.Push(message)) {
      case Inbox::Pushed::kKept:
        break;
      case Inbox::Pushed::kBeyondWindow:
        return absl::DataLossError("a message beyond the window");
      case Inbox::Pushed::kNoMemory:
        return absl::ResourceExhaustedError("no room for a message");
    }
  }
  requests_ended_ = last;
  turn_.Notify();
  readable_.SignalAll();
  return absl::OkStatus();
}

bool ServerCallStream::TakeInPlace(const ServerConnection* from,
                                   const link::Frame& frame) {
  InPlaceRead* const read = turn_.read();
  const int limit = from->core().max_receive_bytes;
  if (read == nullptr || from != call_->connection().get() ||
      frame.fields.kind != memory::kFrameMessage ||
      frame.fields.call_id != call_->call_id() || !frame.has_message() ||
      frame.holds_block() ||
      (limit >= 0 && frame.message_bytes > static_cast<uint64_t>(limit))) {
    return false;
  }
  {
    absl::MutexLock lock(&mutex_);
    // What is not as it should be is the other way's to complain about.
    if (ended_ || requests_ended_ || !inbox_.empty() ||
        !inbox_.Pass(frame.message_bytes, &read->credit)) {
      return false;
    }
    requests_ended_ = frame.last();
    NoteTaken(&read->credit);
  }
  read->taken = true;
  read->parsed =
      ParseMessage(*frame.view, frame.message, frame.message_bytes,
                   call_->connection()->link().copy_before_parse(), read->into);
  turn_.Notify();
  return true;
}

void ServerCallStream::NoteTaken(uint32_t* credit) {
  if (requests_ended_) *credit = 0;  // nobody needs it
  if (*credit != 0) ++sending_;
}

absl::Status ServerCallStream::Credit(uint32_t cost) {
  absl::MutexLock lock(&mutex_);
  if (!window_.Credit(cost)) {
    return absl::DataLossError(
        absl::StrCat("credit for ", cost, " bytes, more than was sent"));
  }
  turn_.Notify();
  if (window_.open()) writable_.SignalAll();
  return absl::OkStatus();
}

bool ServerCallStream::End(const Status& status) {
  std::vector<ArrivedMessage> unread;
  bool caller_closes;
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    caller_closes = sending_ == 0;
    if (!caller_closes) close_ = status;
    unread = inbox_.TakeAll();
    turn_.Notify();
    readable_.SignalAll();
    writable_.SignalAll();
  }
  for (const ArrivedMessage& m : unread) {
    DropArrived(m, &call_->connection()->link());
  }
  return caller_closes;
}

bool ServerCallStream::initial_sent() const {
  absl::MutexLock lock(&mutex_);
  return initial_sent_;
}

// --- the handler's
// ------------------------------------------------------------

bool ServerCallStream::Wait(CondVar* change, InPlaceRead* read, bool* sleep) {
  HandlerPolling* polling = call_->connection()->core().polling;
  if (!*sleep && polling != nullptr && turn_.Enter(read)) {
    mutex_.Unlock();
    *sleep = !polling->PollFor(&turn_);
    mutex_.Lock();
    turn_.Leave();
    return true;
  }
  const int64_t deadline_ns = call_->deadline_ns();
  if (deadline_ns != kInfiniteFutureNs &&
      platform::MonotonicNowNs() >= deadline_ns) {
    return false;
  }
  change->Wait(&mutex_, deadline_ns);
  return true;
}

bool ServerCallStream::AwaitMessage(InPlaceRead* read, Status* end) {
  bool sleep = false;
  while (!ended_ && inbox_.empty() && !requests_ended_) {
    const bool waited = Wait(&readable_, read, &sleep);
    if (read != nullptr && read->taken) return true;
    if (!waited) {
      *end = DeadlineExceeded();
      return false;
    }
  }
  if (ended_ || inbox_.empty()) return false;
  const int limit = call_->connection()->core().max_receive_bytes;
  if (limit >= 0 && inbox_.next_size_bytes() > static_cast<uint64_t>(limit)) {
    *end = ReceivedTooLarge(inbox_.next_size_bytes(), limit);
    return false;
  }
  return true;
}

bool ServerCallStream::AwaitRoom(Status* end) {
  if (writes_ended_) {
    if (!late_write_logged_) {
      SHMRPC_LOG(kError) << "handler of " << call_->method()->handler().name()
                         << " writes after what it said was its last message";
    }
    late_write_logged_ = true;
    return false;
  }
  bool sleep = false;
  while (!ended_ && !window_.open()) {
    if (!Wait(&writable_, nullptr, &sleep)) {
      *end = DeadlineExceeded();
      return false;
    }
  }
  return !ended_;
}

absl::Status ServerCallStream::SendAndLeave(link::OutgoingFrame* frame,
                                            link::OutgoingFrame::Write write) {
  frame->call_id = call_->call_id();
  ServerConnection* connection = call_->connection().get();
  absl::Status sent = connection->link().Send(*frame, write);
  // The poller ends the connection's calls, and may be asleep.
  if (connection->link().broken()) connection->WakePoller();
  std::optional<Status> close;
  {
    absl::MutexLock lock(&mutex_);
    if (--sending_ == 0) close.swap(close_);
  }
  if (close) connection->SendClose(call_->call_id(), *close);
  return sent;
}

bool ServerCallStream::InitialMetadataFits(Status* end) const {
  const size_t size_bytes = call_->initial_metadata().size();
  if (size_bytes <= memory::kMaxMetadataBytes) return true;
  *end = MetadataTooLarge(size_bytes);
  return false;
}

void ServerCallStream::SendInitialMetadata() {
  Status end;
  bool may;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_ || initial_sent_) return;
    initial_sent_ = true;
    may = InitialMetadataFits(&end);
    if (may) ++sending_;
  }
  if (!may) {
    call_->EndWith(end);
    return;
  }
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.initial = true;
  frame.metadata = call_->initial_metadata();
  const absl::Status sent = SendAndLeave(&frame, [](uint8_t*) {});
  if (absl::IsResourceExhausted(sent)) call_->EndWith(CallStatus(sent));
}

bool ServerCallStream::NextMessageSize(uint32_t* size_bytes) {
  Status end;
  {
    absl::MutexLock lock(&mutex_);
    if (AwaitMessage(nullptr, &end)) {
      *size_bytes = static_cast<uint32_t>(
          std::min<uint64_t>(inbox_.next_size_bytes(), UINT32_MAX));
      return true;
    }
  }
  if (!end.ok()) call_->EndWith(end);
  return false;
}

bool ServerCallStream::Read(MessageLite* message) {
  Status end;
  InPlaceRead read(message);
  ArrivedMessage arrived;
  bool there;
  {
    absl::MutexLock lock(&mutex_);
    there = AwaitMessage(&read, &end);
    if (there && !read.taken) {
      arrived = inbox_.Pop(&read.credit);
      NoteTaken(&read.credit);
    }
  }
  if (!there) {
    if (!end.ok()) call_->EndWith(end);
    return false;
  }
  if (read.credit != 0) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameCredit;
    frame.aux = read.credit;
    SendAndLeave(&frame, [](uint8_t*) {}).IgnoreError();  // always fits
  }
  if (!read.taken) {
    read.parsed = ParseArrived(arrived, &call_->connection()->link(), message);
  }
  switch (read.parsed) {
    case ParseResult::kParsed:
      return true;
    case ParseResult::kMalformed:
      break;
    case ParseResult::kFaulted:
      call_->connection()->link().Fail(
          absl::DataLossError("a message's memory is gone"));
      call_->connection()->WakePoller();  // to see that the link is broken
      break;
  }
  call_->EndWith(Unparseable());
  return false;
}

bool ServerCallStream::Write(const MessageLite& message, WriteOptions options) {
  const uint64_t size_bytes = message.ByteSizeLong();
  const int limit = SendLimit(call_->connection()->core().max_send_bytes);
  if (size_bytes > static_cast<uint64_t>(limit)) {
    call_->EndWith(SentTooLarge(size_bytes, limit));
    return false;
  }
  Status end;
  bool may;
  bool first = false;
  {
    absl::MutexLock lock(&mutex_);
    may = AwaitRoom(&end);
    if (may) {
      first = !initial_sent_;
      initial_sent_ = true;
      may = !first || InitialMetadataFits(&end);
    }
    if (may) {
      window_.Charge(link::MessageCost(size_bytes));
      writes_ended_ = options.is_last_message();
      ++sending_;
    }
  }
  if (!may) {
    if (!end.ok()) call_->EndWith(end);
    return false;
  }
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.has_message = true;
  frame.message_bytes = size_bytes;
  if (first && !call_->initial_metadata().empty()) {
    frame.initial = true;
    frame.metadata = call_->initial_metadata();
  }
  const absl::Status sent =
      SendAndLeave(&frame, [&](uint8_t* to) { WriteMessage(message, to); });
  if (absl::IsResourceExhausted(sent)) call_->EndWith(CallStatus(sent));
  return sent.ok();
}

}  // namespace internal
}  // namespace shmrpc
