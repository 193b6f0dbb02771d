#include "transport/rpc/poller_threads.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"

namespace shmrpc {
namespace internal {
namespace {

// lead_: bit 0 held, bit 1 in a handler, bit 2 borrowed, above that what makes
// it unique.
constexpr uint64_t kHeld = 1;
constexpr uint64_t kInHandler = 2;
constexpr uint64_t kBorrowed = 4;
constexpr uint64_t kStep = 8;
constexpr int kTakeShift = 40;

constexpr int64_t kTickNs = 1000 * 1000;
constexpr int kMaxOnEvent = 2;

// How often who wishes to borrow the lead looks for it: some ten microseconds.
constexpr int kBorrowLooks = 40;
constexpr int kBorrowBusyLooks = 20;

}  // namespace

PollerThreads::PollerThreads(platform::Event* event, Options options, Lead lead)
    : event_(event),
      options_(std::move(options)),
      lead_function_(std::move(lead)) {}

PollerThreads::~PollerThreads() { Stop(); }

absl::Status PollerThreads::Start() {
  absl::MutexLock lock(&mutex_);
  if (StartThread()) return absl::OkStatus();
  return absl::ResourceExhaustedError("the system starts no thread");
}

void PollerThreads::Stop() {
  std::vector<std::thread> threads;
  std::vector<std::thread> retired;
  {
    absl::MutexLock lock(&mutex_);
    stop_.store(true, std::memory_order_relaxed);
    for (const Standing& s : standing_) s.waiter->Interrupt();
    threads.swap(threads_);
    retired.swap(retired_);
  }
  for (std::thread& t : retired) t.join();
  for (std::thread& t : threads) t.join();
}

void PollerThreads::RequestScan() {
  // SYNC(scan): seq_cst on both sides, as in ThreadMain: either the leader that
  // is about to leave sees the request, or we see that nobody leads.
  scan_requested_.store(true, std::memory_order_seq_cst);
  if (lead_.load(std::memory_order_seq_cst) == 0) Summon(true);
}

void PollerThreads::EventRestored() {
  RequestScan();
  absl::MutexLock lock(&mutex_);
  event_gone_logged_.store(false, std::memory_order_relaxed);
  for (const Standing& s : standing_) {
    if (s.on_event) s.waiter->Interrupt();
  }
}

bool PollerThreads::TakeScanRequest() {
  // Relaxed first: the exchange orders; a request seen late is seen next round.
  return scan_requested_.load(std::memory_order_relaxed) &&
         scan_requested_.exchange(false, std::memory_order_acquire);
}

// --- the lead
// ------------------------------------------------------------------

uint64_t PollerThreads::TryTakeLead(uint64_t flags) {
  uint64_t free = 0;
  // Relaxed: only makes the value unique.
  const uint64_t mine = leads_taken_.fetch_add(1, std::memory_order_relaxed)
                            << kTakeShift |
                        kHeld | flags;
  // SYNC(lead): acquire pairs with the release of who held it before; what the
  // leader owns is ours now.
  return lead_.compare_exchange_strong(free, mine, std::memory_order_acquire,
                                       std::memory_order_relaxed)
             ? mine
             : 0;
}

void PollerThreads::ReleaseLead() {
  // SYNC(lead), and seq_cst for SYNC(scan).
  lead_.store(0, std::memory_order_seq_cst);
}

void PollerThreads::EnterHandler(uint64_t* lead) {
  *lead = (*lead + kStep) | kInHandler;
  // SYNC(lead): release; the standby may take over from here.
  lead_.store(*lead, std::memory_order_release);
}

bool PollerThreads::LeaveHandler(uint64_t* lead) {
  const uint64_t next = (*lead + kStep) & ~kInHandler;
  // Acquire on success is not needed (nobody else wrote what we own); on
  // failure we touch nothing.
  if (!lead_.compare_exchange_strong(*lead, next, std::memory_order_relaxed)) {
    return false;
  }
  *lead = next;
  return true;
}

uint64_t PollerThreads::Borrow(const std::atomic<bool>& news) {
  uint64_t taken = 0;
  for (int look = 0; look < kBorrowLooks; ++look) {
    // Relaxed: TryTakeLead orders what comes with it.
    const uint64_t current = lead_.load(std::memory_order_relaxed);
    if (current == 0) {
      taken = TryTakeLead(kBorrowed);
      if (taken != 0) break;
    }
    if ((current & kBorrowed) != 0 || news.load(std::memory_order_relaxed)) {
      break;
    }
    // Relaxed: a wish. One that is seen too late makes the leader stand by for
    // a tick, after which it takes the lead again: see Listen.
    lead_wished_.store(true, std::memory_order_relaxed);
    if (look < kBorrowBusyLooks) {
      for (int i = 0; i < kBorrowBusyLooks; ++i) platform::CpuRelax();
    } else {
      platform::YieldThread();
    }
  }
  // Another's wish is renewed at its next look.
  lead_wished_.store(false, std::memory_order_relaxed);
  return taken;
}

bool PollerThreads::TakeWish() {
  return lead_wished_.load(std::memory_order_relaxed) &&
         lead_wished_.exchange(false, std::memory_order_relaxed);
}

void PollerThreads::GiveUpLead() {
  // SYNC(scan): for who is about to stand by.
  scan_requested_.store(true, std::memory_order_seq_cst);
  ReleaseLead();
  Summon(true);
}

void PollerThreads::RestLead() {
  ReleaseLead();
  // SYNC(scan): a request that came before.
  if (scan_requested_.load(std::memory_order_seq_cst)) Summon(true);
}

bool PollerThreads::HandOver() {
  {
    absl::MutexLock lock(&mutex_);
    if (here_.load(std::memory_order_relaxed) < 2 && !StartThread()) {
      return false;
    }
    here_.fetch_sub(1, std::memory_order_relaxed);
  }
  GiveUpLead();
  return true;
}

void PollerThreads::Return() {
  absl::MutexLock lock(&mutex_);
  here_.fetch_add(1, std::memory_order_relaxed);
}

bool PollerThreads::StartSuccessor() {
  absl::MutexLock lock(&mutex_);
  return here_.load(std::memory_order_relaxed) > 1 || StartThread();
}

// --- threads
// ---------------------------------------------------------------------

bool PollerThreads::StartThread() {
  if (stopping()) return false;
  // One polls while the others are away.
  if (threads_.size() > static_cast<size_t>(options_.max_away)) return false;
  try {
    threads_.emplace_back([this] { ThreadMain(); });
  } catch (const std::system_error& e) {
    if (!start_failed_) {
      SHMRPC_LOG(kError) << options_.name << ": no thread beyond "
                         << threads_.size() << " can be started: " << e.what();
    }
    start_failed_ = true;
    return false;
  }
  start_failed_ = false;
  here_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void PollerThreads::ThreadMain() {
  platform::Waiter waiter;
  uint64_t lead = 0;
  while (!stopping()) {
    if (lead == 0) lead = TryTakeLead(0);
    if (lead != 0) {
      const End end = lead_function_(lead);
      lead = 0;
      // SYNC(scan): a request that came before we let go of the lead.
      if (end == End::kLeadLost ||
          scan_requested_.load(std::memory_order_seq_cst)) {
        continue;
      }
    }
    if (StandBy(&waiter, &lead) == Outcome::kRetire) {
      Retire();
      return;
    }
  }
}

void PollerThreads::Retire() {
  // Who retires joins those before it, so that at most one is left over.
  std::vector<std::thread> before;
  {
    absl::MutexLock lock(&mutex_);
    before.swap(retired_);
    const auto self = std::find_if(
        threads_.begin(), threads_.end(), [](const std::thread& t) {
          return t.get_id() == std::this_thread::get_id();
        });
    // Not there: Stop is about to join it.
    if (self != threads_.end()) {
      retired_.push_back(std::move(*self));
      threads_.erase(self);
    }
  }
  for (std::thread& t : before) t.join();
}

int PollerThreads::thread_count() {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(threads_.size());
}

void PollerThreads::Summon(bool interrupt) {
  absl::MutexLock lock(&mutex_);
  if (stopping()) return;
  const Standing* chosen = nullptr;
  for (const Standing& s : standing_) {
    if (chosen == nullptr || s.on_event) chosen = &s;
  }
  if (chosen == nullptr) {
    // Somebody may be about to stand by.
    if (here_.load(std::memory_order_relaxed) < 2) StartThread();
    return;
  }
  // A thread that stands by without listening is woken so that it comes back
  // listening.
  if (interrupt || !chosen->on_event) chosen->waiter->Interrupt();
}

void PollerThreads::StartTicking() {
  // Relaxed: Interrupt orders it for the standby it wakes.
  if (ticking_.exchange(true, std::memory_order_relaxed)) return;
  Summon(true);
}

// --- standing by
// ------------------------------------------------------------------

PollerThreads::Outcome PollerThreads::StandBy(platform::Waiter* waiter,
                                              uint64_t* lead) {
  bool on_event;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping()) return Outcome::kLook;
    // SYNC(scan): who summons looks for us under the lock, after it has left
    // the request and, if it led, the lead; so it finds us, or we find those.
    if (lead_.load(std::memory_order_seq_cst) == 0 &&
        scan_requested_.load(std::memory_order_seq_cst)) {
      return Outcome::kLook;
    }
    on_event = standing_on_event_ < kMaxOnEvent;
    if (on_event) ++standing_on_event_;
    standing_.push_back({waiter, on_event});
  }
  Outcome outcome = on_event ? Listen(waiter, lead) : WaitInReserve(waiter);
  absl::MutexLock lock(&mutex_);
  if (on_event) --standing_on_event_;
  standing_.erase(
      std::find_if(standing_.begin(), standing_.end(),
                   [waiter](const Standing& s) { return s.waiter == waiter; }));
  switch (outcome) {
    case Outcome::kLook:
      break;
    case Outcome::kTookOver:
      // Who had the lead is away now.
      here_.fetch_sub(1, std::memory_order_relaxed);
      break;
    case Outcome::kTookBack:
      break;  // who had it was away all the time
    case Outcome::kRetire:
      // Under the lock: several may have waited for as long, and somebody may
      // just have chosen this one.
      if (stopping() ||
          standing_.size() < static_cast<size_t>(options_.max_idle) ||
          waiter->Wait(nullptr, 0) == platform::WaitResult::kInterrupted) {
        return Outcome::kLook;
      }
      here_.fetch_sub(1, std::memory_order_relaxed);
      break;
  }
  return outcome;
}

PollerThreads::Outcome PollerThreads::WaitInReserve(platform::Waiter* waiter) {
  const auto result =
      waiter->Wait(nullptr, platform::MonotonicNowNs() + options_.idle_ns);
  if (result != platform::WaitResult::kTimeout) return Outcome::kLook;
  {
    absl::MutexLock lock(&mutex_);
    if (standing_.size() > static_cast<size_t>(options_.max_idle)) {
      return Outcome::kRetire;
    }
  }
  // One of the few that stay; those that come later may leave.
  waiter->Wait(nullptr, platform::kNever);
  return Outcome::kLook;
}

PollerThreads::Outcome PollerThreads::Listen(platform::Waiter* waiter,
                                             uint64_t* lead) {
  uint64_t seen = 0;    // the lead at the last look
  int64_t seen_ns = 0;  // and when that was
  for (;;) {
    const bool gone = event_->Gone();
    const bool tick = ticking() || (seen & kInHandler) != 0 || gone;
    const int64_t pause_ns = tick ? kTickNs : options_.look_ns;
    const int64_t deadline_ns = pause_ns == platform::kNever
                                    ? platform::kNever
                                    : platform::MonotonicNowNs() + pause_ns;
    platform::WaitResult result =
        waiter->WaitForHint(gone ? nullptr : event_, deadline_ns);
    if (stopping()) return Outcome::kLook;
    if (gone || result == platform::WaitResult::kPoisoned) {
      // Relaxed: one line in the log, or two.
      if (!event_gone_logged_.exchange(true, std::memory_order_relaxed)) {
        SHMRPC_LOG(kWarning) << options_.name
                             << ": the word clients ring was truncated by some "
                                "process of this user; polling every "
                                "millisecond until it is made good";
      }
      if (!gone) waiter->Wait(nullptr, platform::MonotonicNowNs() + kTickNs);
      if (stopping()) return Outcome::kLook;
      result = platform::WaitResult::kSignaled;  // it might have been
    }
    if (!tick && result == platform::WaitResult::kTimeout) {
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
      // Ticking, and nobody leads: who wished to borrow the lead has not taken
      // it.
      if (result == platform::WaitResult::kTimeout && !ticking()) {
        continue;  // idle again
      }
      return Outcome::kLook;
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
      *lead = mine;
      return (seen & kBorrowed) != 0 ? Outcome::kTookBack : Outcome::kTookOver;
    }
  }
}

}  // namespace internal
}  // namespace shmrpc
