#include "transport/rpc/poller.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"
#include "transport/rpc/patience.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace internal {
namespace {

// Frames of one connection before it is the next one's turn.
constexpr int kFramesPerTurn = 64;
// Sweeps without a frame after which a connection is parked on its own.
constexpr int kColdSweeps = 2000;
// Sweeps between two looks at parked connections while nobody stands by.
constexpr uint32_t kSweepsPerScanAlone = 64;
// Replies longer than this are written while the standby may take over.
constexpr uint64_t kLongReplyBytes = 64 * 1024;
// Frames that wait for room in a client's ring; beyond that it must take some
// before it is listened to again.
constexpr uint64_t kMaxBacklogBytes = 16 * 1024 * 1024;
// After a handler that led has found a call, which cost a wake-up.
constexpr int64_t kBorrowPauseNs = 100 * 1000 * 1000;

}  // namespace

struct Poller::Polled {
  explicit Polled(std::shared_ptr<ServerConnection> c)
      : connection(std::move(c)) {}

  // May frames be taken from it? Asked after a Flush: a client that has given
  // back room rings, and whether that Flush or another thread's has used the
  // room, this sees it.
  bool Listens() const {
    return connection->link().BacklogBytes() <= kMaxBacklogBytes;
  }

  std::shared_ptr<ServerConnection> connection;
  bool parked = false;
  int idle_sweeps = 0;
};

Poller::Poller(platform::Event* event, ServerCore* core, int max_handlers,
               int64_t look_ns)
    : core_(core),
      threads_(
          event,
          [&] {
            PollerThreads::Options options;
            options.name = core->address;
            options.max_away = max_handlers;
            options.look_ns = look_ns;
            return options;
          }(),
          [this](uint64_t lead) { return Lead(lead); }) {}

Poller::~Poller() { Stop(); }

void Poller::Add(std::shared_ptr<ServerConnection> connection) {
  {
    absl::MutexLock lock(&mutex_);
    connections_.push_back(std::move(connection));
    // Relaxed: read again under the mutex by Refresh.
    version_.fetch_add(1, std::memory_order_relaxed);
  }
  Wake();
}

std::vector<std::shared_ptr<ServerConnection>> Poller::Connections() {
  absl::MutexLock lock(&mutex_);
  return connections_;
}

void Poller::DropAbandoned() {
  for (const auto& c : Connections()) {
    if (!c->Abandoned()) continue;
    c->link().Fail(absl::UnavailableError("the client let go of it"));
    Wake();
  }
}

void Poller::EndCalls(const Status& status) {
  for (const auto& c : Connections()) c->EndAll(status);
}

uint64_t Poller::Undelivered() {
  uint64_t replies = 0;
  for (const auto& c : Connections()) {
    c->link().Flush();
    if (!c->Ended()) replies += c->link().Undelivered();
  }
  return replies;
}

void Poller::Stop() {
  threads_.Stop();
  awake_.clear();
  if (passed_on_ != nullptr) {
    passed_on_->Reject(Cancelled());
    EndCall(std::move(passed_on_));
  }
  polled_.clear();
  std::vector<std::shared_ptr<ServerConnection>> connections;
  absl::MutexLock lock(&mutex_);
  connections.swap(connections_);
  for (const auto& c : connections) {
    // A client that reads later still gets what was sent.
    if (!c->Ended()) c->link().LeavePayloads();
    c->link().Close();
  }
}

// --- polling
// ---------------------------------------------------------------------

Poller::End Poller::Lead(uint64_t lead) {
  // Somebody must hear clients ring while we are in a handler, and every client
  // must ring: the leader before us may have left some connections unparked.
  threads_.SummonListener();
  ParkAll();
  Leading leading{lead, nullptr};
  return Poll(&leading) == Polling::kLost ? End::kLeadLost : End::kIdle;
}

Poller::Polling Poller::Poll(Leading* leading) {
  HandlerTurn* const turn = leading->turn;
  bool scan = leading->fresh;  // anything may have come before
  bool fresh = true;           // nothing since then
  Patience patience;
  uint32_t sweeps = 0;
  for (;;) {
    if (threads_.stopping()) {
      threads_.ReleaseLead();
      return Polling::kRested;
    }
    if (turn == nullptr && threads_.TakeWish()) {
      // The tick brings us back if nobody takes it.
      threads_.StartTicking();
      threads_.ReleaseLead();
      return Polling::kRested;
    }
    leading->progress = leading->rang = false;
    if (passed_on_ != nullptr && !Execute(leading, std::move(passed_on_))) {
      return Polling::kLost;
    }
    if (threads_.TakeScanRequest()) scan = true;
    // Nobody hears parked clients ring while all other threads are away.
    if (turn == nullptr && ++sweeps % kSweepsPerScanAlone == 0 &&
        threads_.alone()) {
      scan = true;
    }
    if (version_.load(std::memory_order_relaxed) != seen_version_) {
      Refresh();
      scan = true;
    }
    if (!Sweep(leading, scan)) return Polling::kLost;
    scan = false;
    if (turn != nullptr && turn->notified()) return Polling::kNotified;
    if (leading->progress) {
      if (!fresh) threads_.StartTicking();
      fresh = false;
      if (leading->rang) {
        patience.RenewGivingWay();
      } else {
        patience.Renew();
      }
    } else if (patience.polls() != 0) {
      PollRound(patience.polls());
      patience.Wait(last_bytes_);
    } else if (patience.Wait(last_bytes_)) {
      // Given away; look again.
    } else if (ParkAll()) {
      scan = true;
      patience.Renew();
    } else {
      threads_.StopTicking();  // no calls, no tick
      core_->messages.TidyUp();
      if (turn == nullptr) {
        threads_.ReleaseLead();  // this thread looks once more
      } else {
        threads_.RestLead();
      }
      return Polling::kRested;
    }
    if (turn != nullptr && turn->Expired()) return Polling::kNotified;
  }
}

bool Poller::PollFor(HandlerTurn* turn) {
  Leading leading{turn->lead, turn};
  leading.fresh = turn->lead == 0;
  turn->lead = 0;
  if (leading.lead != 0 && !threads_.LeaveHandler(&leading.lead)) {
    turn->NoteSlow();
    return false;
  }
  if (leading.lead == 0) {
    if (!turn->quick() ||
        platform::MonotonicNowNs() <
            borrow_after_ns_.load(std::memory_order_relaxed)) {
      return false;
    }
    leading.lead = threads_.Borrow(turn->news());
    if (leading.lead == 0) return turn->notified();
    // Somebody looks after us from the first handler on.
    threads_.StartTicking();
  }
  if (Poll(&leading) != Polling::kNotified) return false;
  threads_.EnterHandler(&leading.lead);
  turn->lead = leading.lead;
  return turn->notified();
}

void Poller::PollRound(int polls) {
  ListAwake();
  // One busy client is the common case: look at its ring and nothing else.
  if (awake_.size() == 1) {
    awake_[0]->connection->link().Poll(polls);
  } else {
    platform::CpuRelax();
  }
}

void Poller::ListAwake() {
  if (!awake_changed_) return;
  awake_changed_ = false;
  awake_.clear();
  for (const auto& p : polled_) {
    if (!p->parked) awake_.push_back(p.get());
  }
}

bool Poller::Sweep(Leading* leading, bool scan_parked) {
  if (scan_parked) {
    // All of them, this time.
    awake_.clear();
    for (const auto& p : polled_) awake_.push_back(p.get());
    awake_changed_ = true;
  } else {
    ListAwake();
  }
  for (size_t left = awake_.size(); left > 0; --left) {
    if (turn_of_ >= awake_.size()) turn_of_ = 0;
    // Counted on at once: if the lead is lost over it, the next leader goes on
    // with the others.
    const size_t index = turn_of_++;
    Polled* p = awake_[index];
    // In this order: see Polled::Listens.
    p->connection->link().Flush();
    const bool before = std::exchange(leading->progress, false);
    if (p->Listens() && !DrainOne(leading, p)) return false;
    if (!leading->progress && p->connection->Ended()) {
      // Once more after that look: what was sent before the end counts.
      if (p->Listens() && !DrainOne(leading, p)) return false;
      if (!leading->progress) {
        leading->progress = before;
        awake_.erase(awake_.begin() + static_cast<std::ptrdiff_t>(index));
        turn_of_ = index;
        Drop(p);
        continue;
      }
    }
    const bool mine = leading->progress;
    leading->progress |= before;
    ParkIfQuiet(p, mine);
    // The others' turn comes before this one's next; but a look through all
    // parked ones is not put off.
    if (leading->turn != nullptr && leading->turn->notified() && !scan_parked) {
      return true;
    }
  }
  return true;
}

void Poller::ParkIfQuiet(Polled* p, bool drained_some) {
  link::Connection& link = p->connection->link();
  // It may have rung for what was taken meanwhile, or for frames of the link's
  // own: parked again, with another look, it rings for the next one.
  if (p->parked && !link.MarkIsUp()) {
    link.Park();
    if (link.HasRecord()) {
      link.Unpark();
      SetParked(p, false);
    }
  }
  p->idle_sweeps = drained_some ? 0 : p->idle_sweeps + 1;
  if (!p->parked && p->idle_sweeps > kColdSweeps && polled_.size() > 1) {
    link.Park();
    SetParked(p, !link.HasRecord());
    if (!p->parked) link.Unpark();
    p->idle_sweeps = 0;
  }
}

bool Poller::DrainOne(Leading* leading, Polled* polled) {
  // Kept by value: if the lead is lost, `polled` may be gone.
  ServerConnection* connection = polled->connection.get();
  HandlerTurn* const turn = leading->turn;
  link::Frame frame;
  for (int i = 0; i < kFramesPerTurn && connection->link().Next(&frame); ++i) {
    leading->progress = true;
    last_bytes_ = 0;
    if (polled->parked) {
      connection->link().Unpark();
      SetParked(polled, false);
    }
    if (turn != nullptr && turn->read() != nullptr &&
        turn->stream()->TakeInPlace(connection, frame)) {
      return true;  // what follows can wait where it is
    }
    std::unique_ptr<ServerCall> call = connection->Take(frame);
    if (call != nullptr && !Execute(leading, std::move(call))) return false;
  }
  return true;
}

bool Poller::Execute(Leading* leading, std::unique_ptr<ServerCall> call) {
  if (leading->turn != nullptr) return PassOn(std::move(call));
  ServedMethod* method = call->method();
  if (!method->fast()) {
    if (threads_.HandOver()) {
      RunAway(std::move(call));
      return false;
    }
    Exhausted(std::move(call));
    return true;
  }
  if (!threads_.HasSuccessor()) {
    Exhausted(std::move(call));
    return true;
  }
  link::Connection* link = &call->connection()->link();
  bool marked = false;
  if (!threads_.ticking()) {
    link->Park();
    marked = true;
    // Others of whom something came since the sleep do not ring either.
    bool others_awake = false;
    for (const auto& p : polled_) {
      if (others_awake) break;
      if (&p->connection->link() == link) continue;
      // Nor do those that rang together with this one: who sends takes the mark
      // down, who closes rings whatever the mark says.
      others_awake = !p->parked || !p->connection->link().MarkIsUp() ||
                     p->connection->Ended();
    }
    if (others_awake || link->HasRecord()) threads_.StartTicking();
  }
  threads_.EnterHandler(&leading->lead);
  call->Run();
  const uint64_t message_bytes = call->message_bytes();
  if (call->response_bytes() > kLongReplyBytes) {
    Finish(std::move(call), &leading->rang);
  }
  if (!threads_.LeaveHandler(&leading->lead)) {
    method->NoteSlow();
    threads_.Return();
    if (call != nullptr) Finish(std::move(call), nullptr);
    return false;
  }
  last_bytes_ = message_bytes;
  // Before the reply: the client's next request must not ring.
  if (marked) link->Unpark();
  if (call != nullptr) Finish(std::move(call), &leading->rang);
  return true;
}

bool Poller::PassOn(std::unique_ptr<ServerCall> call) {
  passed_on_ = std::move(call);
  // Relaxed: advice to other handlers.
  borrow_after_ns_.store(platform::MonotonicNowNs() + kBorrowPauseNs,
                         std::memory_order_relaxed);
  threads_.GiveUpLead();
  return false;
}

void Poller::RunAway(std::unique_ptr<ServerCall> call) {
  ServedMethod* method = call->method();
  const int64_t start_ns = platform::MonotonicNowNs();
  call->Run();
  uint64_t lead = 0;  // if the handler had it last
  if (call->stream() != nullptr) {
    lead = call->stream()->turn()->lead;
  } else {
    method->NoteRun(platform::MonotonicNowNs() - start_ns,
                    call->message_bytes());
  }
  // Before a short reply: who gets it may count on this thread. After a long
  // one: nobody would poll if the leader counted on it meanwhile.
  const bool long_reply = call->response_bytes() > kLongReplyBytes;
  if (!long_reply) threads_.Return();
  Finish(std::move(call), nullptr);
  if (long_reply) threads_.Return();
  // This thread looks for it next.
  if (lead != 0 && threads_.LeaveHandler(&lead)) threads_.ReleaseLead();
}

void Poller::Exhausted(std::unique_ptr<ServerCall> call) {
  call->Reject(
      Status(StatusCode::RESOURCE_EXHAUSTED, "Server Threadpool Exhausted"));
  EndCall(std::move(call));
}

void Poller::Finish(std::unique_ptr<ServerCall> call, bool* rang) {
  call->Reply(core_->max_send_bytes, rang);
  EndCall(std::move(call));
}

void Poller::EndCall(std::unique_ptr<ServerCall> call) {
  // It holds its connection until it is finished with.
  ServerConnection* connection = call->connection().get();
  connection->Finish(std::move(call));
  core_->EndCall();
}

bool Poller::ParkAll() {
  bool found = false;
  for (const auto& p : polled_) {
    if (p->parked) continue;
    p->connection->link().Park();
    SetParked(p.get(), true);
    // The look after the mark: see doorbell.h.
    found |= (p->Listens() && p->connection->link().HasRecord()) ||
             p->connection->Ended();
  }
  return found;
}

void Poller::Refresh() {
  std::vector<std::shared_ptr<ServerConnection>> added;
  {
    absl::MutexLock lock(&mutex_);
    seen_version_ = version_.load(std::memory_order_relaxed);
    for (const auto& c : connections_) {
      bool known = false;
      for (const auto& p : polled_) known |= p->connection == c;
      if (!known) added.push_back(c);
    }
  }
  for (auto& c : added) {
    polled_.push_back(absl::make_unique<Polled>(std::move(c)));
    awake_changed_ = true;
  }
}

void Poller::SetParked(Polled* polled, bool parked) {
  awake_changed_ |= polled->parked != parked;
  polled->parked = parked;
}

void Poller::Drop(Polled* polled) {
  const auto found = std::find_if(
      polled_.begin(), polled_.end(),
      [polled](const std::unique_ptr<Polled>& p) { return p.get() == polled; });
  const std::unique_ptr<Polled> dropped = std::move(*found);
  polled_.erase(found);
  ServerConnection* connection = dropped->connection.get();
  connection->EndAll(Cancelled());
  connection->link().Close();
  if (connection->link().broken()) {
    SHMRPC_LOG(kWarning) << "client " << connection->peer() << " dropped: "
                         << connection->link().status().message();
  }
  // The last reference may be ours: its watch's callback takes mutex_, so it
  // must not be destroyed under it.
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i] == dropped->connection) {
      connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
}

}  // namespace internal
}  // namespace shmrpc
