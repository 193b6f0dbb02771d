// One client as the server keeps it: its connection, the methods it has named,
// its calls in flight, and the watch on its life.
//
// Thread rule: Take by the thread that polls; the rest by any. Ownership:
// shared by the poller and the calls in flight; memory and handles go with the
// last.

#ifndef SHMRPC_TRANSPORT_RPC_SERVER_CONNECTION_H_
#define SHMRPC_TRANSPORT_RPC_SERVER_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "transport/link/accept.h"
#include "transport/link/connection.h"
#include "transport/platform/process.h"
#include "transport/rpc/method_table.h"
#include "transport/rpc/server_call.h"

namespace shmrpc {
namespace internal {

// What all connections of a server share.
class ServerCore {
 public:
  MethodTable methods;
  int max_receive_bytes = 0;  // -1: no limit
  int max_send_bytes = 0;     // -1: no limit
  std::string address;        // of the first port, for peer()

  // A call that begins before Drain is waited for, one after it is refused.
  bool BeginCall();
  void EndCall() ABSL_LOCKS_EXCLUDED(mutex_);
  // Refuses new calls and waits until none is left.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  bool draining() const {
    // Relaxed: advice; BeginCall decides.
    return draining_.load(std::memory_order_relaxed);
  }

 private:
  // SYNC(drain): seq_cst on both words. BeginCall counts and then looks at
  // draining_, Drain sets it and then looks at the count: one of them sees the
  // other.
  std::atomic<bool> draining_{false};
  std::atomic<int64_t> calls_in_flight_{0};
  absl::Mutex mutex_;  // for the wait only
};

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  // Calls a client may have in flight; more are refused.
  static constexpr size_t kMaxCalls = 64 * 1024;

  ServerConnection(ServerCore* core, link::Acceptor::Accepted accepted);
  ~ServerConnection();

  // `wake` is called, from any thread, when the client has died. NOT_FOUND if
  // it is dead already.
  absl::Status WatchClient(std::function<void()> wake);

  // Deals with one frame. A call that is to be run, or null.
  std::unique_ptr<ServerCallState> Take(const link::Frame& frame);

  // The call is over: replied to or rejected.
  void Finish(std::unique_ptr<ServerCallState> call)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // True once nothing more will come: the client died or closed, or the
  // connection broke. Read before the ring is emptied for the last time.
  bool Ended();

  // Nobody waits for the calls in flight any more.
  void CancelAll() ABSL_LOCKS_EXCLUDED(mutex_);

  // True if the client's process lives but has dropped the connection without a
  // word (exec). A system call.
  bool Abandoned() const;

  link::Connection& link() { return *link_; }
  ServerCore& core() { return *core_; }
  const std::string& peer() const { return peer_; }

 private:
  void Bind(const link::Frame& frame);
  std::unique_ptr<ServerCallState> Open(const link::Frame& frame)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel(uint32_t call_id) ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t DeadlineHere(int64_t client_deadline_ns) const;

  ServerCore* const core_;
  const std::unique_ptr<link::Connection> link_;
  const int64_t clock_offset_ns_;
  const std::string peer_;
  std::vector<ServedMethod*> methods_;  // by the client's numbers; may be null
  std::atomic<bool> client_dead_{false};

  absl::Mutex mutex_;
  absl::flat_hash_map<uint32_t, ServerCallState*> calls_
      ABSL_GUARDED_BY(mutex_);
  // Finished ones, for the next calls.
  std::vector<std::unique_ptr<ServerCallState>> spare_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<platform::DeathWatch> watch_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_CONNECTION_H_
