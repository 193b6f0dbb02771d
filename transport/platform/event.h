// Waking a thread of another process, and ending a wait from within this one.
//
//   // sleeper                                 // waker, another process
//   Event event = *Event::Create(name, word);  Event event = *Event::Open(name,
//   word); Waiter waiter;                             event.Signal(); switch
//   (waiter.Wait(&event, deadline_ns)) ...
//   // any thread of the sleeper's process:    waiter.Interrupt();
//
// An Event is auto-reset: a Signal before the Wait is kept, several are one,
// and one Wait takes it. It is a hint, never state: what was signalled stands
// in the shared memory it belongs to, and a sleeper looks there before and
// after.
//
// Windows: a named auto-reset event; `word` is not used. Linux: a futex on
// `word`, which lies in memory that both processes have mapped; the name is not
// used. Waiting is futex_waitv on `word` and the Waiter's private word (kernels
// before 5.16: slices of at most a second). Signal, and a Wait for an Event,
// unblock SIGBUS for their thread, as Guarded does.

#ifndef SHMRPC_TRANSPORT_PLATFORM_EVENT_H_
#define SHMRPC_TRANSPORT_PLATFORM_EVENT_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "transport/platform/mapping.h"
#include "transport/platform/object_name.h"

namespace shmrpc {
namespace platform {

class Event {
 public:
  // The word's bytes belong to the Event: 0 quiet, 1 signalled. It must outlive
  // the Event. Create: ALREADY_EXISTS if the name is taken (Windows).
  static absl::StatusOr<Event> Create(const ObjectName& name,
                                      std::atomic<uint32_t>* word,
                                      const AccessPolicy& access);
  static absl::StatusOr<Event> Open(const ObjectName& name,
                                    std::atomic<uint32_t>* word);

  Event() = default;
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  ~Event();

  // Wakes one sleeper, now or at its next Wait. Any thread. Never blocks. Call
  // it where a fault of the word's view is guarded against (on Linux always).
  void Signal();

  // The same, but wakes all who sleep now. For words that others may sleep on
  // just to take wake-ups away. (Windows: as Signal.)
  void SignalAll();

  // True: the word is gone (Linux: truncated), and signals reach nobody. Known
  // only after an access of this process has found out.
  bool Gone() const;

 private:
  friend class Waiter;
  void SignalUpTo(int sleepers);  // Linux

  [[maybe_unused]] std::atomic<uint32_t>* word_ = nullptr;  // Linux
  [[maybe_unused]] int view_ = -1;  // Linux: the registered view of word_
  [[maybe_unused]] void* handle_ = nullptr;  // Windows
};

enum class WaitResult {
  kSignaled,
  kInterrupted,
  kTimeout,
  kPoisoned,  // the shared word is gone (EFAULT): the mapping was truncated
};

constexpr int64_t kNever = INT64_MAX;

// One sleeping place. One thread waits at a time; any thread interrupts.
class Waiter {
 public:
  Waiter();
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Sleeps until `event` is signalled, Interrupt() is called, or
  // MonotonicNowNs() reaches `deadline_ns` (kNever: no limit). `event` may be
  // null: then only the latter two. A pending Interrupt is taken first.
  WaitResult Wait(Event* event, int64_t deadline_ns);

  // For who looks around whenever it wakes: kSignaled also where it was woken
  // and the signal is gone, cleared by whoever may write the word or taken by
  // another sleeper. So of several sleepers more than one may have a signal.
  WaitResult WaitForHint(Event* event, int64_t deadline_ns);

  // Ends the current Wait, or the next one. Sticky until a Wait takes it.
  void Interrupt();

 private:
  struct Impl;
  // Linux: `hint`, see WaitForHint.
  WaitResult WaitFor(Event* event, int64_t deadline_ns, bool hint);

  std::unique_ptr<Impl> impl_;
};

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_EVENT_H_
