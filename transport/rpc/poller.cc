#include "transport/rpc/poller.h"

#include <utility>

#include "absl/memory/memory.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"

namespace shmrpc {
namespace internal {
namespace {

// lead_: bit 0 held, bit 1 in a handler, above that what makes it unique.
constexpr uint64_t kHeld = 1;
constexpr uint64_t kInHandler = 2;
constexpr uint64_t kStep = 4;
constexpr int kTakeShift = 40;

constexpr int64_t kTickNs = 1000 * 1000;
// As a client polls before it sleeps: see client_connection.cc.
constexpr int kPollsPerRound = 50;
constexpr int kBusyRounds = 8;
constexpr int kRounds = 100;
// Frames of one connection before it is the next one's turn.
constexpr int kFramesPerTurn = 64;
// Sweeps without a frame after which a connection is parked on its own.
constexpr int kColdSweeps = 2000;
// Replies longer than this are written while the standby may take over.
constexpr uint64_t kLongReplyBytes = 64 * 1024;
constexpr int kMaxOnEvent = 2;

}  // namespace

struct Poller::Polled {
  explicit Polled(std::shared_ptr<ServerConnection> c)
      : connection(std::move(c)) {}

  std::shared_ptr<ServerConnection> connection;
  bool parked = false;
  int idle_sweeps = 0;
};

Poller::Poller(platform::Event* event, ServerCore* core, int max_threads)
    : event_(event), core_(core), max_threads_(max_threads) {
  SummonStandby(false);
}

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

void Poller::Wake() {
  // SYNC(scan): seq_cst on both sides, as in ThreadMain: either the leader that
  // is about to leave sees the request, or we see that nobody leads.
  scan_requested_.store(true, std::memory_order_seq_cst);
  if (lead_.load(std::memory_order_seq_cst) == 0) SummonStandby(true);
}

void Poller::DropAbandoned() {
  std::vector<std::shared_ptr<ServerConnection>> connections;
  {
    absl::MutexLock lock(&mutex_);
    connections = connections_;
  }
  for (const auto& c : connections) {
    if (!c->Abandoned()) continue;
    c->link().Fail(absl::UnavailableError("the client let go of it"));
    Wake();
  }
}

uint64_t Poller::Undelivered() {
  std::vector<std::shared_ptr<ServerConnection>> connections;
  {
    absl::MutexLock lock(&mutex_);
    connections = connections_;
  }
  uint64_t replies = 0;
  for (const auto& c : connections) {
    c->link().Flush();
    if (!c->Ended()) replies += c->link().Undelivered();
  }
  return replies;
}

void Poller::Stop() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    // Relaxed: the mutex or an Interrupt orders it for those who sleep, and the
    // leader reads it in every round.
    stop_.store(true, std::memory_order_relaxed);
    for (const Standing& s : standing_) s.waiter->Interrupt();
    threads.swap(threads_);
  }
  for (std::thread& t : threads) t.join();
  polled_.clear();
  std::vector<std::shared_ptr<ServerConnection>> connections;
  absl::MutexLock lock(&mutex_);
  connections.swap(connections_);
  for (const auto& c : connections) c->link().Close();
}

// --- the lead
// ------------------------------------------------------------------

uint64_t Poller::TryTakeLead() {
  uint64_t free = 0;
  // Relaxed: only makes the value unique.
  const uint64_t mine = leads_taken_.fetch_add(1, std::memory_order_relaxed)
                            << kTakeShift |
                        kHeld;
  // SYNC(lead): acquire pairs with the release of who held it before; what the
  // leader owns is ours now.
  return lead_.compare_exchange_strong(free, mine, std::memory_order_acquire,
                                       std::memory_order_relaxed)
             ? mine
             : 0;
}

void Poller::ReleaseLead() {
  // SYNC(lead), and seq_cst for SYNC(scan).
  lead_.store(0, std::memory_order_seq_cst);
}

void Poller::EnterHandler(uint64_t* lead) {
  *lead = (*lead + kStep) | kInHandler;
  // SYNC(lead): release; the standby may take over from here.
  lead_.store(*lead, std::memory_order_release);
}

bool Poller::LeaveHandler(uint64_t* lead) {
  const uint64_t next = (*lead + kStep) & ~kInHandler;
  // Acquire on success is not needed (nobody else wrote what we own); on
  // failure we touch nothing.
  if (!lead_.compare_exchange_strong(*lead, next, std::memory_order_relaxed)) {
    return false;
  }
  *lead = next;
  return true;
}

// --- threads
// ---------------------------------------------------------------------

void Poller::ThreadMain() {
  platform::Waiter waiter;
  uint64_t lead = 0;
  // Relaxed: see Stop.
  while (!stop_.load(std::memory_order_relaxed)) {
    if (lead == 0) lead = TryTakeLead();
    if (lead != 0) {
      const End end = Lead(lead);
      lead = 0;
      // SYNC(scan): a request that came before we let go of the lead.
      if (end == End::kLeadLost ||
          scan_requested_.load(std::memory_order_seq_cst)) {
        continue;
      }
    }
    lead = StandBy(&waiter);
  }
}

void Poller::SummonStandby(bool interrupt) {
  absl::MutexLock lock(&mutex_);
  if (stop_.load(std::memory_order_relaxed)) return;
  const Standing* chosen = nullptr;
  for (const Standing& s : standing_) {
    if (chosen == nullptr || s.on_event) chosen = &s;
  }
  if (chosen == nullptr) {
    if (static_cast<int>(threads_.size()) < max_threads_) {
      threads_.emplace_back([this] { ThreadMain(); });
    }
    return;
  }
  // A thread that stands by without listening is woken so that it comes back
  // listening.
  if (interrupt || !chosen->on_event) chosen->waiter->Interrupt();
}

void Poller::StartTicking() {
  // Relaxed: Interrupt orders it for the standby it wakes.
  if (ticking_.exchange(true, std::memory_order_relaxed)) return;
  SummonStandby(true);
}

uint64_t Poller::StandBy(platform::Waiter* waiter) {
  bool on_event;
  {
    absl::MutexLock lock(&mutex_);
    if (stop_.load(std::memory_order_relaxed)) return 0;
    on_event = standing_on_event_ < kMaxOnEvent;
    if (on_event) ++standing_on_event_;
    standing_.push_back({waiter, on_event});
  }
  uint64_t taken = 0;
  uint64_t seen = 0;    // the lead at the last look
  int64_t seen_ns = 0;  // and when that was
  for (;;) {
    const bool tick = ticking_.load(std::memory_order_relaxed) ||
                      (seen & kInHandler) != 0 ||
                      event_gone_.load(std::memory_order_relaxed);
    const int64_t deadline_ns = on_event && tick
                                    ? platform::MonotonicNowNs() + kTickNs
                                    : platform::kNever;
    platform::Event* event =
        on_event && !event_gone_.load(std::memory_order_relaxed) ? event_
                                                                 : nullptr;
    platform::WaitResult result = waiter->Wait(event, deadline_ns);
    if (stop_.load(std::memory_order_relaxed) || !on_event) break;
    if (result == platform::WaitResult::kPoisoned) {
      SHMRPC_LOG(kError) << core_->address
                         << ": the word clients ring was truncated by some "
                            "process of this user; polling every millisecond "
                            "from now on";
      event_gone_.store(true, std::memory_order_relaxed);
    }
    if (event_gone_.load(std::memory_order_relaxed)) {
      result = platform::WaitResult::kSignaled;  // it might have been
    }
    if (result == platform::WaitResult::kSignaled) {
      // SYNC(scan): the ring was ours to hear, the leader's to answer.
      scan_requested_.store(true, std::memory_order_seq_cst);
    }
    // SYNC(scan), and acquire for a lead we may take over.
    uint64_t current = lead_.load(std::memory_order_seq_cst);
    if (current == 0) {
      seen = 0;
      if (result == platform::WaitResult::kTimeout) continue;  // idle again
      break;
    }
    const int64_t now_ns = platform::MonotonicNowNs();
    if (current != seen) {
      seen = current;
      seen_ns = now_ns;
      continue;
    }
    if ((current & kInHandler) == 0 || now_ns - seen_ns < kTickNs) continue;
    // The same handler for a whole tick.
    const uint64_t mine = leads_taken_.fetch_add(1, std::memory_order_relaxed)
                              << kTakeShift |
                          kHeld;
    // SYNC(lead): acquire pairs with the release in EnterHandler.
    if (lead_.compare_exchange_strong(current, mine,
                                      std::memory_order_acquire)) {
      taken = mine;
      break;
    }
  }
  absl::MutexLock lock(&mutex_);
  if (on_event) --standing_on_event_;
  for (size_t i = 0; i < standing_.size(); ++i) {
    if (standing_[i].waiter == waiter) {
      standing_.erase(standing_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  return taken;
}

// --- polling
// ---------------------------------------------------------------------

Poller::End Poller::Lead(uint64_t lead) {
  // Somebody must hear clients ring while we are in a handler, and every client
  // must ring: the leader before us may have left some connections unparked.
  SummonStandby(false);
  ParkAll();
  bool scan = true;   // after a sleep or a hand-over anything may have come
  bool fresh = true;  // nothing since then
  int rounds = 0;
  for (;;) {
    if (stop_.load(std::memory_order_relaxed)) {
      ReleaseLead();
      return End::kIdle;
    }
    // Relaxed first: the exchange orders; a request seen late is seen next
    // round.
    if (scan_requested_.load(std::memory_order_relaxed) &&
        scan_requested_.exchange(false, std::memory_order_acquire)) {
      scan = true;
    }
    if (version_.load(std::memory_order_relaxed) != seen_version_) {
      Refresh();
      scan = true;
    }
    bool progress = false;
    bool rang = false;
    if (!Sweep(&lead, scan, &progress, &rang)) return End::kLeadLost;
    scan = false;
    if (progress) {
      if (!fresh) StartTicking();
      fresh = false;
      // Who had to wake a client sleeps at once: polling would hold a core that
      // the client may need.
      rounds = rang ? kRounds : 0;
      continue;
    }
    if (rounds < kRounds) {
      if (++rounds <= kBusyRounds) {
        PollRound();
      } else {
        platform::YieldThread();
      }
      continue;
    }
    if (ParkAll()) {
      scan = true;
      rounds = 0;
      continue;
    }
    ticking_.store(false, std::memory_order_relaxed);  // no calls, no tick
    ReleaseLead();
    return End::kIdle;
  }
}

void Poller::PollRound() {
  // One busy client is the common case: look at its ring and nothing else.
  Polled* only = nullptr;
  int awake = 0;
  for (const auto& p : polled_) {
    if (p->parked) continue;
    only = p.get();
    ++awake;
  }
  if (awake == 1) {
    only->connection->link().Poll(kPollsPerRound);
  } else {
    platform::CpuRelax();
  }
}

bool Poller::Sweep(uint64_t* lead, bool scan_parked, bool* progress,
                   bool* rang) {
  for (size_t i = 0; i < polled_.size();) {
    Polled* p = polled_[i].get();
    if (p->parked && !scan_parked) {
      ++i;
      continue;
    }
    // Read before the ring is emptied: what was sent before the end counts.
    const bool ended = p->connection->Ended();
    bool mine = false;
    if (!DrainOne(lead, p, &mine, rang)) return false;
    *progress |= mine;
    if (ended && !mine) {
      Drop(i);
      continue;
    }
    p->connection->link().Flush();
    p->idle_sweeps = mine ? 0 : p->idle_sweeps + 1;
    if (!p->parked && p->idle_sweeps > kColdSweeps && polled_.size() > 1) {
      p->connection->link().Park();
      p->parked = !p->connection->link().HasRecord();
      if (!p->parked) p->connection->link().Unpark();
      p->idle_sweeps = 0;
    }
    ++i;
  }
  return true;
}

bool Poller::DrainOne(uint64_t* lead, Polled* polled, bool* progress,
                      bool* rang) {
  // Kept by value: if the lead is lost, `polled` may be gone.
  ServerConnection* connection = polled->connection.get();
  link::Frame frame;
  for (int i = 0; i < kFramesPerTurn && connection->link().Next(&frame); ++i) {
    *progress = true;
    if (polled->parked) {
      connection->link().Unpark();
      polled->parked = false;
    }
    std::unique_ptr<ServerCallState> call = connection->Take(frame);
    if (call != nullptr &&
        !Execute(lead, std::move(call), &connection->link(), rang)) {
      return false;
    }
  }
  return true;
}

bool Poller::Execute(uint64_t* lead, std::unique_ptr<ServerCallState> call,
                     link::Connection* link, bool* rang) {
  ServedMethod* method = call->method();
  if (!method->fast()) {
    ReleaseLead();
    SummonStandby(true);
    const int64_t start_ns = platform::MonotonicNowNs();
    call->Run();
    method->NoteRun(platform::MonotonicNowNs() - start_ns);
    Finish(std::move(call), nullptr);
    return false;
  }
  bool marked = false;
  if (!ticking_.load(std::memory_order_relaxed)) {
    link->Park();
    marked = true;
    if (link->HasRecord()) StartTicking();
  }
  EnterHandler(lead);
  call->Run();
  if (call->response_bytes() > kLongReplyBytes) {
    Finish(std::move(call), rang);
  }
  if (!LeaveHandler(lead)) {
    method->NoteSlow();
    if (call != nullptr) Finish(std::move(call), nullptr);
    return false;
  }
  // Before the reply: the client's next request must not ring.
  if (marked) link->Unpark();
  if (call != nullptr) Finish(std::move(call), rang);
  return true;
}

void Poller::Finish(std::unique_ptr<ServerCallState> call, bool* rang) {
  call->Reply(core_->max_send_bytes, rang);
  const std::shared_ptr<ServerConnection> connection = call->connection();
  connection->Finish(std::move(call));
  core_->EndCall();
}

bool Poller::ParkAll() {
  bool found = false;
  for (const auto& p : polled_) {
    if (p->parked) continue;
    p->connection->link().Park();
    p->parked = true;
    // The look after the mark: see doorbell.h.
    found |= p->connection->link().HasRecord() || p->connection->Ended();
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
  }
}

void Poller::Drop(size_t index) {
  std::unique_ptr<Polled> dropped = std::move(polled_[index]);
  polled_.erase(polled_.begin() + static_cast<std::ptrdiff_t>(index));
  ServerConnection* connection = dropped->connection.get();
  connection->CancelAll();
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
