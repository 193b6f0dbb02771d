#include "transport/rpc/poller.h"

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

// As a client polls before it sleeps: see client_lead.cc.
constexpr int kPollsPerRound = 50;
constexpr int kBusyRounds = 8;
constexpr int kRounds = 100;
// Frames of one connection before it is the next one's turn.
constexpr int kFramesPerTurn = 64;
// Sweeps without a frame after which a connection is parked on its own.
constexpr int kColdSweeps = 2000;
// Replies longer than this are written while the standby may take over.
constexpr uint64_t kLongReplyBytes = 64 * 1024;
// Frames that wait for room in a client's ring; beyond that it must take some
// before it is listened to again.
constexpr uint64_t kMaxBacklogBytes = 16 * 1024 * 1024;

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

Poller::Poller(platform::Event* event, ServerCore* core, int max_handlers)
    : core_(core),
      threads_(
          event,
          [&] {
            PollerThreads::Options options;
            options.name = core->address;
            options.max_away = max_handlers;
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
  bool scan = true;   // after a sleep or a hand-over anything may have come
  bool fresh = true;  // nothing since then
  int rounds = 0;
  for (;;) {
    if (threads_.stopping()) {
      threads_.ReleaseLead();
      return End::kIdle;
    }
    if (threads_.TakeScanRequest()) scan = true;
    if (version_.load(std::memory_order_relaxed) != seen_version_) {
      Refresh();
      scan = true;
    }
    bool progress = false;
    bool rang = false;
    if (!Sweep(&lead, scan, &progress, &rang)) return End::kLeadLost;
    scan = false;
    if (progress) {
      if (!fresh) threads_.StartTicking();
      fresh = false;
      // Who had to wake a client sleeps at once: polling would hold a core that
      // the client may need.
      rounds = rang ? kRounds : 0;
      continue;
    }
    if (rounds < kRounds + ExtraRounds(last_bytes_)) {
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
    threads_.StopTicking();  // no calls, no tick
    core_->messages.TidyUp();
    threads_.ReleaseLead();
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
    // In this order: see Polled::Listens.
    p->connection->link().Flush();
    bool mine = false;
    if (p->Listens() && !DrainOne(lead, p, &mine, rang)) return false;
    *progress |= mine;
    if (ended && !mine) {
      Drop(i);
      continue;
    }
    // It may have rung for what was taken meanwhile, or for frames of the
    // link's own: parked again, with another look, it rings for the next one.
    if (p->parked && !p->connection->link().MarkIsUp()) {
      p->connection->link().Park();
      if (p->connection->link().HasRecord()) {
        p->connection->link().Unpark();
        p->parked = false;
      }
    }
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
    last_bytes_ = 0;
    if (polled->parked) {
      connection->link().Unpark();
      polled->parked = false;
    }
    std::unique_ptr<ServerCall> call = connection->Take(frame);
    if (call != nullptr &&
        !Execute(lead, std::move(call), &connection->link(), rang)) {
      return false;
    }
  }
  return true;
}

bool Poller::Execute(uint64_t* lead, std::unique_ptr<ServerCall> call,
                     link::Connection* link, bool* rang) {
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
  bool marked = false;
  if (!threads_.ticking()) {
    link->Park();
    marked = true;
    if (link->HasRecord()) threads_.StartTicking();
  }
  threads_.EnterHandler(lead);
  call->Run();
  const uint64_t message_bytes = call->message_bytes();
  if (call->response_bytes() > kLongReplyBytes) {
    Finish(std::move(call), rang);
  }
  if (!threads_.LeaveHandler(lead)) {
    method->NoteSlow();
    threads_.Return();
    if (call != nullptr) Finish(std::move(call), nullptr);
    return false;
  }
  last_bytes_ = message_bytes;
  // Before the reply: the client's next request must not ring.
  if (marked) link->Unpark();
  if (call != nullptr) Finish(std::move(call), rang);
  return true;
}

void Poller::RunAway(std::unique_ptr<ServerCall> call) {
  ServedMethod* method = call->method();
  const int64_t start_ns = platform::MonotonicNowNs();
  call->Run();
  if (!method->streams()) {
    method->NoteRun(platform::MonotonicNowNs() - start_ns,
                    call->message_bytes());
  }
  // Before a short reply: who gets it may count on this thread. After a long
  // one: nobody would poll if the leader counted on it meanwhile.
  const bool long_reply = call->response_bytes() > kLongReplyBytes;
  if (!long_reply) threads_.Return();
  Finish(std::move(call), nullptr);
  if (long_reply) threads_.Return();
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
  }
}

void Poller::Drop(size_t index) {
  std::unique_ptr<Polled> dropped = std::move(polled_[index]);
  polled_.erase(polled_.begin() + static_cast<std::ptrdiff_t>(index));
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
