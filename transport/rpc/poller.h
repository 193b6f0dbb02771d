// What the server's leading thread does: polls all connections, has calls run,
// and puts to sleep what is quiet. Whose turn it is: poller_threads.h.
//
// A handler that may take long, as one that streams always may, is run by the
// thread that found the call, once that has handed the lead over. Where no
// thread is left to take the lead the call ends with RESOURCE_EXHAUSTED, and
// the polling goes on, so that the streams in flight go on too.
//
// After a sleep nobody ticks yet. So before the leader runs a handler inline
// then, it puts the connection's parked mark up again: a client that has
// something new rings, and that wakes the standby. If other connections are
// awake, the ticking begins at once.
//
// A handler that streams may lead itself while it waits for its client
// (handler_turn.h). It runs no other handler meanwhile, since that might wait
// for it: a call it finds is passed on, with the lead, to a thread that stands
// by; and for a while no handler leads then.
//
// A connection whose client does not take its frames is not asked for new ones
// until it does (kMaxBacklogBytes).
//
// Thread rule: any. Ownership: shares the connections. The destructor waits for
// running handlers.

#ifndef SHMRPC_TRANSPORT_RPC_POLLER_H_
#define SHMRPC_TRANSPORT_RPC_POLLER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/status.h"
#include "transport/platform/event.h"
#include "transport/rpc/handler_turn.h"
#include "transport/rpc/poller_threads.h"
#include "transport/rpc/server_connection.h"

namespace shmrpc {
namespace internal {

class Poller final : public HandlerPolling {
 public:
  // `event` is what clients ring; it outlives the poller. `max_handlers`: that
  // run at once, at least 1. `look_ns`: see PollerThreads::Options.
  Poller(platform::Event* event, ServerCore* core, int max_handlers,
         int64_t look_ns);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // RESOURCE_EXHAUSTED if the system starts no thread.
  absl::Status Start() { return threads_.Start(); }

  void Add(std::shared_ptr<ServerConnection> connection)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Has every connection looked at soon. Any thread, never blocks for long.
  void Wake() { threads_.RequestScan(); }

  // The event was made good after a truncation.
  void EventRestored() { threads_.EventRestored(); }

  // Has connections dropped whose process lives but let go of them.
  void DropAbandoned() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends all calls in flight with `status`.
  void EndCalls(const Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends what waits for room and returns how many replies are not safely with
  // their clients yet: those would be lost by Stop. Any thread.
  uint64_t Undelivered() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends all threads; handlers that run are waited for. Connections are closed.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // HandlerPolling:
  bool PollFor(HandlerTurn* turn) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using End = PollerThreads::End;
  struct Polled;

  std::vector<std::shared_ptr<ServerConnection>> Connections()
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A stretch of leading.
  struct Leading {
    uint64_t lead;
    HandlerTurn* turn;  // null: not a handler's
    bool fresh = true;  // another thread may have led before
    bool progress = false;
    bool rang = false;
  };
  enum class Polling {
    kRested,    // nothing to do; the lead was released
    kLost,      // the lead is another thread's
    kNotified,  // `turn` was; the lead is kept
  };

  End Lead(uint64_t lead) ABSL_LOCKS_EXCLUDED(mutex_);
  Polling Poll(Leading* leading) ABSL_LOCKS_EXCLUDED(mutex_);
  // These four: false means the lead is lost, and nothing of the leader's may
  // be touched any more.
  bool Sweep(Leading* leading, bool scan_parked);
  bool DrainOne(Leading* leading, Polled* polled);
  bool Execute(Leading* leading, std::unique_ptr<ServerCall> call);
  bool PassOn(std::unique_ptr<ServerCall> call);
  void ParkIfQuiet(Polled* polled, bool drained_some);
  void RunAway(std::unique_ptr<ServerCall> call);
  void Exhausted(std::unique_ptr<ServerCall> call);
  void Finish(std::unique_ptr<ServerCall> call, bool* rang);
  void EndCall(std::unique_ptr<ServerCall> call);
  // Waits for a request for as long as a few dozen looks take.
  void PollRound(int polls);
  // Parks every connection; true: one of them has something after all.
  bool ParkAll();
  void Refresh() ABSL_LOCKS_EXCLUDED(mutex_);
  void ListAwake();
  void SetParked(Polled* polled, bool parked);
  // Its turn is over: it is not in awake_ any more.
  void Drop(Polled* polled) ABSL_LOCKS_EXCLUDED(mutex_);

  ServerCore* const core_;

  // The leader's:
  std::vector<std::unique_ptr<Polled>> polled_;
  // Those of them that a sweep looks at. Many may be idle.
  std::vector<Polled*> awake_;
  bool awake_changed_ = false;  // it is to be listed anew
  size_t turn_of_ = 0;          // whose turn it is, in awake_
  uint64_t seen_version_ = 0;
  std::unique_ptr<ServerCall> passed_on_;
  // Of the last call's messages, 0 if others do its work.
  uint64_t last_bytes_ = 0;

  // No handler leads before.
  std::atomic<int64_t> borrow_after_ns_{0};

  absl::Mutex mutex_;
  std::vector<std::shared_ptr<ServerConnection>> connections_
      ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{0};  // of connections_

  PollerThreads threads_;  // last: they use the rest
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_POLLER_H_
