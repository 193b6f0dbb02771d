// The server's threads: whose turn it is to poll, who stands by, who is away in
// a handler.
//
// Whoever polls has the *lead*. It runs the handler of a method that has been
// fast itself, without a hop, and marks the lead "in a handler" meanwhile; for
// any other method it first hands the lead over and is away. While the leader
// finds work without sleeping in between, one waiting thread, the standby,
// ticks every millisecond, and takes the lead over from a leader that has been
// in the same handler for a whole tick. When there is nothing to do the lead is
// free and all waiting threads sleep on the poller event: no thread runs,
// nothing ticks.
//
// Whatever handlers do, one thread can poll: nobody enters a handler unless
// another thread stands by, is about to, or can be started. So at most
// `max_away` handlers run at once, beside the polling.
//
// A handler that waits for its client may lead as well, on its own thread
// (handler_turn.h): it borrows the lead. It is away all the while, and there is
// a thread beside it that stands by.
//
// Threads are started when they are needed. One that has stood by for long,
// with enough others, ends.
//
// Thread rule: the functions that take a lead, and those after them, by the
// leader; the rest by any thread.

#ifndef SHMRPC_TRANSPORT_RPC_POLLER_THREADS_H_
#define SHMRPC_TRANSPORT_RPC_POLLER_THREADS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "transport/platform/event.h"

namespace shmrpc {
namespace internal {

class PollerThreads {
 public:
  struct Options {
    std::string name;  // whose threads they are, for the log
    int max_away = 1;  // handlers that run at once
    int max_idle = 4;  // that stay however long they have stood by
    int64_t idle_ns = int64_t{10} * 1000 * 1000 * 1000;  // before others end
    // Who listens looks as often, though nobody rang; kNever: only then.
    int64_t look_ns = platform::kNever;
  };
  enum class End { kIdle, kLeadLost };
  // Polls until there is nothing to do or the lead is lost. Called with a lead
  // just taken; kIdle: it was released.
  using Lead = std::function<End(uint64_t lead)>;

  // `event` is what clients ring; it outlives this object.
  PollerThreads(platform::Event* event, Options options, Lead lead);
  ~PollerThreads();
  PollerThreads(const PollerThreads&) = delete;
  PollerThreads& operator=(const PollerThreads&) = delete;

  // RESOURCE_EXHAUSTED if the system starts no thread.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all threads; handlers that run are waited for.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopping() const {
    // Relaxed: the mutex or an Interrupt orders it for those who sleep, and the
    // leader reads it in every round.
    return stop_.load(std::memory_order_relaxed);
  }

  // Has a leader look at everything soon. Never blocks for long.
  void RequestScan() ABSL_LOCKS_EXCLUDED(mutex_);

  // The event's word was truncated and has been made good: rings may be lost,
  // and who sleeps on it may sleep on zeros of this process's own.
  void EventRestored() ABSL_LOCKS_EXCLUDED(mutex_);

  // A thread that has left the lead for a handler can lead again, or will once
  // it has said how the call ended. Before that is sent: then whoever is told
  // finds a thread free.
  void Return() ABSL_LOCKS_EXCLUDED(mutex_);

  // The lead is a value: 0 is nobody; otherwise unique to one stretch of one
  // leader's work, with a flag that says whether it is in a handler.
  void ReleaseLead();
  void EnterHandler(uint64_t* lead);
  // False: the standby has taken the lead meanwhile, and this thread is away.
  bool LeaveHandler(uint64_t* lead);

  // Releases the lead to another thread; this one is away. False: there is none
  // and none can be had; the lead is kept.
  bool HandOver() ABSL_LOCKS_EXCLUDED(mutex_);
  // May the leader enter a handler? It would be relieved.
  bool HasSuccessor() {
    // Relaxed: who stands by is only ever taken away by the leader, or by time
    // if there are many.
    return here_.load(std::memory_order_relaxed) > 1 || StartSuccessor();
  }

  // For a handler's thread. The lead, 0 if it cannot be had now or `news` has
  // become true; who polls gives it up when it sees the wish.
  uint64_t Borrow(const std::atomic<bool>& news);
  // The leader: does somebody wish to borrow? Once.
  bool TakeWish();
  // Gives a borrowed lead to whoever takes it next, who is told to look.
  void GiveUpLead() ABSL_LOCKS_EXCLUDED(mutex_);
  // Releases a borrowed lead: there is nothing to do.
  void RestLead() ABSL_LOCKS_EXCLUDED(mutex_);

  // Has anything been asked to be looked at?
  bool TakeScanRequest();
  // Is there nobody who could stand by, and hear clients ring?
  bool alone() const {
    // Relaxed: looked at again and again.
    return here_.load(std::memory_order_relaxed) == 1;
  }
  // Makes sure that somebody stands by who hears clients ring.
  void SummonListener() ABSL_LOCKS_EXCLUDED(mutex_) {
    // Where there is ticking the one that ticked may be the new leader.
    Summon(ticking());
  }
  bool ticking() const { return ticking_.load(std::memory_order_relaxed); }
  void StartTicking() ABSL_LOCKS_EXCLUDED(mutex_);
  void StopTicking() { ticking_.store(false, std::memory_order_relaxed); }

  // For tests: threads that exist; a wish that nobody waits to see fulfilled.
  int thread_count() ABSL_LOCKS_EXCLUDED(mutex_);
  void WishForTest() { lead_wished_.store(true, std::memory_order_relaxed); }

 private:
  struct Standing {
    platform::Waiter* waiter;
    bool on_event;
  };
  // How a wait for something to lead for went.
  enum class Outcome {
    kLook,      // the lead may be free
    kTookOver,  // it was taken from a leader stuck in a handler
    kTookBack,  // the same, from a handler that had borrowed it
    kRetire,    // there are enough others
  };

  void ThreadMain() ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t TryTakeLead(uint64_t flags);
  Outcome StandBy(platform::Waiter* waiter, uint64_t* lead)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The first few hear clients ring and watch the leader; the others wait until
  // they are needed, or have been idle for long.
  Outcome Listen(platform::Waiter* waiter, uint64_t* lead);
  Outcome WaitInReserve(platform::Waiter* waiter) ABSL_LOCKS_EXCLUDED(mutex_);
  // Wakes one that stands by, if `interrupt` or if it does not listen.
  void Summon(bool interrupt) ABSL_LOCKS_EXCLUDED(mutex_);
  bool StartSuccessor() ABSL_LOCKS_EXCLUDED(mutex_);
  bool StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Retire() ABSL_LOCKS_EXCLUDED(mutex_);

  platform::Event* const event_;
  const Options options_;
  const Lead lead_function_;

  std::atomic<uint64_t> lead_{0};
  std::atomic<uint64_t> leads_taken_{0};
  std::atomic<bool> ticking_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> scan_requested_{false};
  std::atomic<bool> lead_wished_{false};
  std::atomic<bool> event_gone_logged_{false};
  // Threads that lead, stand by, or will do one of both without having to wait
  // for a handler. Written under mutex_; never less than 1 once started.
  std::atomic<int> here_{0};

  absl::Mutex mutex_;
  std::vector<Standing> standing_ ABSL_GUARDED_BY(mutex_);
  int standing_on_event_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> retired_ ABSL_GUARDED_BY(mutex_);  // to be joined
  bool start_failed_ ABSL_GUARDED_BY(mutex_) = false;  // logged once in a row
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_POLLER_THREADS_H_
