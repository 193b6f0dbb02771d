// The orders on `word`. Signal stores 1 and then calls FUTEX_WAKE; Wait takes
// the word (exchange 0) and sleeps only if the kernel still finds 0 in it,
// which it looks up under the lock that FUTEX_WAKE takes. So a Signal is either
// taken, or keeps the sleeper from falling asleep, or wakes it.

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/sigbus_posix.h"
#include "transport/platform/store_point.h"
#include "transport/platform/view_registry.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

namespace shmrpc {
namespace platform {
namespace {

static_assert(sizeof(std::atomic<uint32_t>) == 4 &&
                  std::atomic<uint32_t>::is_always_lock_free,
              "the kernel reads the word as 32 plain bits");

// struct futex_waitv and its flags, which headers before Linux 5.16 lack.
struct Waitv {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
constexpr uint32_t kSize32 = 2;
constexpr uint32_t kPrivate = 128;

// struct __kernel_timespec: 64 bits wide in 32-bit programs as well.
struct KernelTime {
  int64_t seconds;
  int64_t nanoseconds;
};

constexpr int64_t kSecondNs = 1000000000;

// relaxed accesses: any thread may find this out, and finds the same.
std::atomic<bool> have_futex_waitv{true};

void Wake(std::atomic<uint32_t>* word, bool shared, int count) {
  // EFAULT (the view is gone) is for the sleeper to find.
  syscall(SYS_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, count,
          nullptr, nullptr, 0);
}

// How a sleep may end besides 0 and errno: by a FUTEX_WAKE on the shared word.
constexpr int kWoken = -1;

// Sleeps while *word == 0, until `deadline_ns`. 0 or errno.
int SleepOn(std::atomic<uint32_t>* word, bool shared, int64_t deadline_ns) {
  timespec until = {};
  until.tv_sec = static_cast<time_t>(deadline_ns / kSecondNs);
  until.tv_nsec = static_cast<long>(deadline_ns % kSecondNs);
  // BITSET, because its time-out is absolute.
  const long result = syscall(
      SYS_futex, word, FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG), 0,
      deadline_ns == kNever ? nullptr : &until, nullptr,
      FUTEX_BITSET_MATCH_ANY);
  return result == 0 ? 0 : errno;
}

// Sleeps while both are 0. ENOSYS if the kernel cannot.
int SleepOnBoth(std::atomic<uint32_t>* own, std::atomic<uint32_t>* shared,
                int64_t deadline_ns) {
  Waitv waiters[2] = {
      {0, reinterpret_cast<uintptr_t>(own), kSize32 | kPrivate, 0},
      {0, reinterpret_cast<uintptr_t>(shared), kSize32, 0}};
  KernelTime until = {deadline_ns / kSecondNs, deadline_ns % kSecondNs};
  const long result =
      syscall(SYS_futex_waitv, waiters, 2, 0,
              deadline_ns == kNever ? nullptr : &until, CLOCK_MONOTONIC);
  if (result < 0) return errno;
  return result == 1 ? kWoken : 0;  // the index of one that was woken
}

}  // namespace

absl::StatusOr<Event> Event::Create(const ObjectName& name,
                                    std::atomic<uint32_t>* word,
                                    const AccessPolicy&) {
  return Open(name, word);
}

absl::StatusOr<Event> Event::Open(const ObjectName& name,
                                  std::atomic<uint32_t>* word) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  Event event;
  event.word_ = word;
  AddressRange range;
  event.view_ = FindView(reinterpret_cast<uintptr_t>(word), &range);
  return event;
}

Event::Event(Event&& other) noexcept
    : word_(std::exchange(other.word_, nullptr)),
      view_(std::exchange(other.view_, -1)) {}

Event& Event::operator=(Event&& other) noexcept {
  word_ = std::exchange(other.word_, nullptr);
  view_ = std::exchange(other.view_, -1);
  return *this;
}

Event::~Event() = default;

void Event::Signal() { SignalUpTo(1); }

void Event::SignalAll() { SignalUpTo(INT_MAX); }

void Event::SignalUpTo(int sleepers) {
  UnblockSigbus();
  // seq_cst: a waker that looks at shared state afterwards looks after its mark
  // is out. What it published before is seen by who takes the mark (release).
  word_->store(1, std::memory_order_seq_cst);
  SHMRPC_STORE_POINT("event.signalled");
  Wake(word_, /*shared=*/true, sleepers);
}

bool Event::Gone() const { return view_ >= 0 && ViewIsPoisoned(view_); }

struct Waiter::Impl {
  std::atomic<uint32_t> interrupted{0};
  // Old kernels: what a Wait sleeps on, for Interrupt to wake it.
  std::atomic<std::atomic<uint32_t>*> sleeping_on{nullptr};

  // Sleeps while nothing has happened, if only for a while. 0, errno or kWoken.
  int Sleep(std::atomic<uint32_t>* word, int64_t deadline_ns) {
    if (word == nullptr) {
      return SleepOn(&interrupted, /*shared=*/false, deadline_ns);
    }
    if (have_futex_waitv.load(std::memory_order_relaxed)) {
      const int error = SleepOnBoth(&interrupted, word, deadline_ns);
      // EPERM: how older container runtimes refuse calls they do not know.
      if (error != ENOSYS && error != EPERM) return error;
      have_futex_waitv.store(false, std::memory_order_relaxed);  // not shared
    }
    // One word only. Interrupt wakes this one, too; if it does so just before
    // the sleep begins, the slice ends it.
    const int64_t now_ns = MonotonicNowNs();
    const int64_t slice_ns = std::min(deadline_ns, now_ns + kSecondNs);
    // seq_cst on both, against Interrupt's store and load: either it sees the
    // word here, or this sees the interrupt there.
    sleeping_on.store(word, std::memory_order_seq_cst);  // not shared
    int end = 0;
    if (interrupted.load(std::memory_order_seq_cst) == 0) {
      end = SleepOn(word, /*shared=*/true, slice_ns);
      if (end == 0) end = kWoken;
    }
    sleeping_on.store(nullptr, std::memory_order_seq_cst);  // not shared
    return end;
  }
};

Waiter::Waiter() : impl_(std::make_unique<Impl>()) {}
Waiter::~Waiter() = default;

WaitResult Waiter::Wait(Event* event, int64_t deadline_ns) {
  return WaitFor(event, deadline_ns, /*hint=*/false);
}

WaitResult Waiter::WaitForHint(Event* event, int64_t deadline_ns) {
  return WaitFor(event, deadline_ns, /*hint=*/true);
}

WaitResult Waiter::WaitFor(Event* event, int64_t deadline_ns, bool hint) {
  std::atomic<uint32_t>* const word = event == nullptr ? nullptr : event->word_;
  if (word != nullptr) UnblockSigbus();
  bool woken = false;
  while (true) {
    // acquire: what the interrupter did before, and what the signaller did.
    // This first word is not shared.
    if (impl_->interrupted.exchange(0, std::memory_order_acquire) != 0) {
      return WaitResult::kInterrupted;
    }
    if (word != nullptr) {
      const bool signalled = word->exchange(0, std::memory_order_acquire) != 0;
      SHMRPC_STORE_POINT("event.taken");
      if (signalled) return WaitResult::kSignaled;
    }
    // The exchange itself may have faulted, and the word is a page of ours now.
    if (event != nullptr && event->Gone()) {
      return WaitResult::kPoisoned;
    }
    if (hint && woken) return WaitResult::kSignaled;
    if (deadline_ns != kNever && MonotonicNowNs() >= deadline_ns) {
      return WaitResult::kTimeout;
    }
    // kWoken, 0, EAGAIN (a word is not 0), EINTR, ETIMEDOUT: look again.
    const int end = impl_->Sleep(word, std::max<int64_t>(deadline_ns, 0));
    if (end == EFAULT) return WaitResult::kPoisoned;
    woken = end == kWoken;
  }
}

void Waiter::Interrupt() {
  // release, for Wait's acquire; seq_cst for Sleep, see there.
  impl_->interrupted.store(1, std::memory_order_seq_cst);  // not shared
  Wake(&impl_->interrupted, /*shared=*/false, 1);
  std::atomic<uint32_t>* const word =
      impl_->sleeping_on.load(std::memory_order_seq_cst);
  // A process-shared word: all its sleepers, to be sure to reach ours. The
  // others look around and sleep on.
  if (word != nullptr) Wake(word, /*shared=*/true, INT_MAX);
}

}  // namespace platform
}  // namespace shmrpc
