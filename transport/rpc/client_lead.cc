// Whose thread polls: waiting, leading, passing the lead on.

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/rpc/client_connection.h"
#include "transport/rpc/patience.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

// Frames between two looks at the clock while they come without a pause.
constexpr int kFramesPerClock = 64;

// Frames that a writer takes in passing.
constexpr int kFramesPerPump = 64;

// Looks again after 1, 10, 100 ms, then each second: an event is only a hint.
constexpr int64_t kNapsNs[] = {1000000, 10000000, 100000000, 1000000000};
constexpr int kLongestNap = 3;

bool Expired(const ClientCall& call) {
  return call.deadline_ns != kInfiniteFutureNs &&
         platform::MonotonicNowNs() >= call.deadline_ns;
}

}  // namespace

bool ClientConnection::Ready(const ClientWait& wait) const {
  const ClientCall& call = *wait.call;
  switch (wait.what) {
    case ClientWait::For::kEnd:
      return call.done() && (call.inbox.empty() || call.response != nullptr ||
                             call.ended_by != ClientCall::EndedBy::kServer);
    case ClientWait::For::kMessage:
      // In this order: who leads sets `taken` without the mutex, but not of a
      // call that others have seen end.
      return call.done() || wait.taken || !call.inbox.empty();
    case ClientWait::For::kInitial:
      return call.initial_arrived || call.done() || !call.inbox.empty();
    case ClientWait::For::kCredit:
      break;
    case ClientWait::For::kSent:
      return call.done() || link_.connection->BacklogBytes() == 0;
  }
  return call.done() || call.window.open();
}

void ClientConnection::WakeReady(const ClientCall& call,
                                 const ClientWait* own) {
  if (leader_ != nullptr && leader_ != own && leader_->call == &call &&
      Ready(*leader_)) {
    lead_waiter_.Interrupt();
  }
  for (ClientWait* wait = waits_; wait != nullptr; wait = wait->next) {
    if (wait->call == &call && Ready(*wait)) wait->waiter->Interrupt();
  }
}

void ClientConnection::TakeLead(ClientWait* wait) {
  led_ = true;
  leader_ = wait;
}

void ClientConnection::LeaveLead() {
  led_ = false;
  leader_ = nullptr;
  if (waits_ != nullptr) PassLead();
}

void ClientConnection::PassLead() {
  for (ClientWait* wait = waits_; wait != nullptr; wait = wait->next) {
    // One that is ready leaves, and passes the lead on again.
    if (!Ready(*wait)) {
      wait->waiter->Interrupt();
      return;
    }
  }
}

void ClientConnection::Await(ClientWait* wait) {
  absl::MutexLock lock(&mutex_);
  AwaitLocked(wait);
}

void ClientConnection::AwaitLocked(ClientWait* wait) {
  while (!Ready(*wait)) {
    if (led_) {
      Follow(wait);
    } else {
      TakeLead(wait);
      mutex_.Unlock();
      Lead(wait);
      mutex_.Lock();
      LeaveLead();
    }
    EndLate(wait);
  }
  if (wait->waiter == nullptr) return;
  spare_waiters_.push_back(std::move(wait->waiter));
  // Perhaps it was to take the lead when it became ready.
  if (!led_ && waits_ != nullptr) PassLead();
}

void ClientConnection::Follow(ClientWait* wait) {
  if (wait->waiter == nullptr) {
    if (spare_waiters_.empty()) {
      spare_waiters_.push_back(std::make_unique<platform::Waiter>());
    }
    // An interrupt that it may still hold ends the first sleep early.
    wait->waiter = std::move(spare_waiters_.back());
    spare_waiters_.pop_back();
  }
  wait->previous = nullptr;
  wait->next = waits_;
  if (waits_ != nullptr) waits_->previous = wait;
  waits_ = wait;
  // Any thread that sends may empty the backlog, and tells nobody.
  const int64_t look_ns = wait->what == ClientWait::For::kSent
                              ? platform::MonotonicNowNs() + kNapsNs[0]
                              : kInfiniteFutureNs;
  mutex_.Unlock();
  wait->waiter->Wait(nullptr, std::min(wait->call->deadline_ns, look_ns));
  mutex_.Lock();
  if (wait->next != nullptr) wait->next->previous = wait->previous;
  (wait->previous != nullptr ? wait->previous->next : waits_) = wait->next;
}

void ClientConnection::FlushInBackground() {
  absl::MutexLock lock(&mutex_);
  if (flushing_ || flush_call_.done()) return;
  if (flusher_.joinable()) flusher_.join();  // it needs the mutex no more
  try {
    flusher_ = std::thread([this] {
      bool bound;
      if (Register(&flush_call_, 0, nullptr, &bound)) {
        ClientWait wait(&flush_call_, ClientWait::For::kSent);
        // The last look is under the lock in which flushing_ falls: a cancel
        // that comes after it starts a thread of its own.
        absl::MutexLock lock(&mutex_);
        AwaitLocked(&wait);
        Unregister(&flush_call_);
        flushing_ = false;
        return;
      }
      // With that many calls somebody comes.
      absl::MutexLock lock(&mutex_);
      flushing_ = false;
    });
    flushing_ = true;
  } catch (const std::system_error& e) {
    SHMRPC_LOG(kWarning) << "connection to " << peer_
                         << ": a cancelled call's server hears of it with the "
                            "next call: no thread to tell it: "
                         << e.what();
  }
}

void ClientConnection::EndLate(ClientWait* wait) {
  ClientCall* const call = wait->call;
  if (!Expired(*call) || Ready(*wait) ||
      !EndLocked(call, DeadlineExceeded(), ClientCall::EndedBy::kClient)) {
    return;
  }
  mutex_.Unlock();
  SendCancel(call->id);
  mutex_.Lock();
}

void ClientConnection::Pump() {
  {
    absl::MutexLock lock(&mutex_);
    if (led_) return;
    led_ = true;
  }
  const absl::Status end = EndReason();
  link::Frame frame;
  int taken = 0;
  while (taken < kFramesPerPump && link_.connection->Next(&frame)) {
    ++taken;
    Deliver(frame, nullptr);
  }
  // More may have come before the end.
  const bool emptied = taken < kFramesPerPump;
  if (emptied && (!end.ok() || link_.connection->broken())) {
    FailAll(CallStatus(end.ok() ? link_.connection->status() : end));
  } else {
    link_.connection->Flush();
  }
  absl::MutexLock lock(&mutex_);
  led_ = false;
  if (waits_ != nullptr) PassLead();
}

void ClientConnection::Lead(ClientWait* wait) {
  link::Connection& connection = *link_.connection;
  ClientCall* const call = wait->call;
  link::Frame frame;
  Patience patience;
  int naps = 0;
  int since_clock = 0;
  // Relaxed: advice.
  if (call->rang.load(std::memory_order_relaxed)) {
    call->rang.store(false, std::memory_order_relaxed);
    patience.RenewGivingWay();
  }
  // Where it is all about the flush, that comes first.
  int polls = wait->what != ClientWait::For::kSent ? patience.polls() : 0;
  absl::Status end;
  for (;;) {
    int taken = 0;
    for (; connection.Next(&frame, polls); polls = 0) {
      if (Deliver(frame, wait)) return;
      // Others' frames may come without a pause; our deadline holds anyway.
      ++taken;
      if (++since_clock % kFramesPerClock == 0 && Expired(*call)) return;
    }
    if (!end.ok() || connection.broken()) {
      FailAll(CallStatus(end.ok() ? connection.status() : end));
      return;
    }
    connection.Flush();
    // Ended by another thread, perhaps with messages that are to be read first;
    // or flushed.
    if (call->done() || wait->what == ClientWait::For::kSent) {
      absl::MutexLock lock(&mutex_);
      if (Ready(*wait)) return;
    }
    if (taken > 0) {
      patience.Renew();
      naps = 0;
    }
    // Relaxed: advice.
    if (!patience.Wait(call->sent_bytes.load(std::memory_order_relaxed)) &&
        !Sleep(wait, &naps)) {
      return;
    }
    if (Expired(*call) && !connection.HasRecord()) return;
    polls = patience.polls();
    // Read before the ring is emptied: what was sent before the end counts.
    end = EndReason();
  }
}

bool ClientConnection::Sleep(ClientWait* wait, int* naps) {
  link::Connection& connection = *link_.connection;
  connection.Park();
  if (connection.HasRecord() || connection.broken() || !EndReason().ok()) {
    connection.Unpark();
    return true;
  }
  const int nap = std::min(*naps, kLongestNap);
  const int64_t deadline_ns = wait->call->deadline_ns;
  const int64_t look_again_ns = platform::MonotonicNowNs() + kNapsNs[nap];
  const platform::WaitResult result =
      lead_waiter_.Wait(&link_.own_event, std::min(deadline_ns, look_again_ns));
  connection.Unpark();
  if (result == platform::WaitResult::kPoisoned) {
    connection.Fail(absl::DataLossError(
        absl::StrCat("connection to ", peer_, ": its shared memory is gone")));
    return true;
  }
  if (result != platform::WaitResult::kTimeout) {
    *naps = 0;
    return true;
  }
  if (connection.HasRecord()) {
    // It came just as the nap ended, or its wake-up was lost.
    SHMRPC_LOG(kInfo) << "connection to " << peer_
                      << ": something had come without a wake-up";
    return true;
  }
  if (platform::MonotonicNowNs() >= deadline_ns) return false;
  // Perhaps it was our own signal that got lost.
  connection.RingPeer();
  ++*naps;
  if (nap == kLongestNap && link::ServerGone(address_, connection.peer())) {
    connection.Fail(absl::UnavailableError(absl::StrCat(
        "server ", peer_, " gave up its name while calls were in flight")));
  }
  return true;
}

}  // namespace internal
}  // namespace shmrpc
