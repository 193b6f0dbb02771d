// The server's threads: one polls all connections, the others wait or run
// handlers.
//
// Whoever polls has the *lead*. It runs the handler of a method that has been
// fast itself, without a hop, and marks the lead "in a handler" meanwhile; for
// any other method it first releases the lead to a waiting thread. While the
// leader finds work without sleeping in between, one waiting thread, the
// standby, ticks every millisecond, and takes the lead over from a leader that
// has been in the same handler for a whole tick. When there is nothing to do
// the lead is free and all waiting threads sleep on the poller event: no thread
// runs, nothing ticks.
//
// After a sleep nobody ticks yet. So before the leader runs a handler inline
// then, it puts the connection's parked mark up again: a client that has
// something new rings, and that wakes the standby.
//
// Thread rule: any. Ownership: shares the connections. The destructor waits for
// running handlers.

#ifndef SHMRPC_TRANSPORT_RPC_POLLER_H_
#define SHMRPC_TRANSPORT_RPC_POLLER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "transport/platform/event.h"
#include "transport/rpc/server_connection.h"

namespace shmrpc {
namespace internal {

class Poller {
 public:
  // `event` is what clients ring; it outlives the poller. `max_threads` >= 2.
  Poller(platform::Event* event, ServerCore* core, int max_threads);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void Add(std::shared_ptr<ServerConnection> connection)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Has every connection looked at soon. Any thread, never blocks for long.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  // Has connections dropped whose process lives but let go of them.
  void DropAbandoned() ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends what waits for room and returns how many replies are not safely with
  // their clients yet: those would be lost by Stop. Any thread.
  uint64_t Undelivered() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends all threads; handlers that run are waited for. Connections are closed.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Polled;
  struct Standing {
    platform::Waiter* waiter;
    bool on_event;
  };
  enum class End { kIdle, kLeadLost };

  void ThreadMain() ABSL_LOCKS_EXCLUDED(mutex_);

  // The lead is a value: 0 is nobody; otherwise unique to one stretch of one
  // leader's work, with a flag that says whether it is in a handler.
  uint64_t TryTakeLead();
  void ReleaseLead();
  // False: the standby has taken the lead meanwhile.
  bool LeaveHandler(uint64_t* lead);
  void EnterHandler(uint64_t* lead);

  // Polls until there is nothing to do or the lead is lost.
  End Lead(uint64_t lead) ABSL_LOCKS_EXCLUDED(mutex_);
  // These three: false means the lead is lost, and nothing of the leader's may
  // be touched any more.
  bool Sweep(uint64_t* lead, bool scan_parked, bool* progress, bool* rang);
  bool DrainOne(uint64_t* lead, Polled* polled, bool* progress, bool* rang);
  bool Execute(uint64_t* lead, std::unique_ptr<ServerCallState> call,
               link::Connection* link, bool* rang);
  void Finish(std::unique_ptr<ServerCallState> call, bool* rang);
  // Waits for a request for as long as a few dozen looks take.
  void PollRound();
  // Parks every connection; true: one of them has something after all.
  bool ParkAll();
  void Refresh() ABSL_LOCKS_EXCLUDED(mutex_);
  void Drop(size_t index) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sleeps until there is something to lead for. Returns a lead that it took
  // over, or 0.
  uint64_t StandBy(platform::Waiter* waiter) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes sure that somebody stands by who hears clients ring; `interrupt`: and
  // wakes them.
  void SummonStandby(bool interrupt) ABSL_LOCKS_EXCLUDED(mutex_);
  void StartTicking() ABSL_LOCKS_EXCLUDED(mutex_);

  platform::Event* const event_;
  ServerCore* const core_;
  const int max_threads_;

  std::atomic<uint64_t> lead_{0};
  std::atomic<uint64_t> leads_taken_{0};
  std::atomic<bool> ticking_{false};
  std::atomic<bool> stop_{false};
  // Look at everything: new connections, deaths, rings that a standby took.
  std::atomic<bool> scan_requested_{false};
  std::atomic<bool> event_gone_{false};

  std::vector<std::unique_ptr<Polled>> polled_;  // the leader's
  uint64_t seen_version_ = 0;                    // the leader's

  absl::Mutex mutex_;
  std::vector<std::shared_ptr<ServerConnection>> connections_
      ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{0};  // of connections_
  std::vector<Standing> standing_ ABSL_GUARDED_BY(mutex_);
  int standing_on_event_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_POLLER_H_
