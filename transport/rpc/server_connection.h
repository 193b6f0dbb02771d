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

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/auth_context.h"
#include "shmrpc/status.h"
#include "shmrpc/time.h"
#include "transport/link/accept.h"
#include "transport/link/client_quotas.h"
#include "transport/link/connection.h"
#include "transport/platform/process.h"
#include "transport/rpc/call_table.h"
#include "transport/rpc/cond_var.h"
#include "transport/rpc/message_store.h"
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
  bool copy_before_parse = false;
  std::string address;  // of the first port, for peer()
  // Polls for handlers that wait; null: they sleep. Outlives the calls.
  HandlerPolling* polling = nullptr;
  MessageStore messages;

  // A call that begins before Drain is waited for, one after it is refused.
  bool BeginCall();
  void EndCall() ABSL_LOCKS_EXCLUDED(mutex_);
  // Refuses new calls and waits until none is left, or until the earliest
  // deadline that HastenDrain was given, before or meanwhile; true: none is
  // left.
  bool Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  void HastenDrain(int64_t deadline_ns) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits, after Drain, until none is left.
  void AwaitCalls() ABSL_LOCKS_EXCLUDED(mutex_);
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
  absl::Mutex mutex_;  // for the waits only
  CondVar change_;
  int64_t drain_deadline_ns_ ABSL_GUARDED_BY(mutex_) = kInfiniteFutureNs;
};

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(ServerCore* core, link::Acceptor::Accepted accepted);
  ~ServerConnection();

  // `wake` is called, from any thread, when the client has died, or when
  // somebody else than the poller has broken the link: it has the connection
  // looked at. NOT_FOUND if the client is dead already.
  absl::Status WatchClient(std::function<void()> wake);

  // Deals with one frame. A call that is to be run, or null.
  std::unique_ptr<ServerCall> Take(const link::Frame& frame);

  // The call is over for its handler, so it no longer counts. Before the client
  // hears of that: its next call may come at once.
  void EndCall() {
    if (seat_ != nullptr) seat_->EndCall();
  }

  // The call is over for its handler too: replied to or rejected.
  void Finish(std::unique_ptr<ServerCall> call) ABSL_LOCKS_EXCLUDED(mutex_);

  // True once nothing more will come: the client died or closed, or the
  // connection broke. Read before the ring is emptied for the last time.
  bool Ended();

  // Takes the call out of the table. Who gets true ends the call, and sends its
  // close; the client may use the number again from then on.
  bool Forget(const ServerCall& call) ABSL_LOCKS_EXCLUDED(mutex_);
  // `trailing`: metadata as it travels. `returned_block`: 1 + number, 0 none.
  void SendClose(uint32_t call_id, const Status& status,
                 absl::string_view trailing = "", uint32_t returned_block = 0,
                 bool* rang = nullptr);

  // Ends all calls in flight with `status`.
  void EndAll(const Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void WakePoller() const {
    if (wake_) wake_();
  }

  // True if the client's process lives but has dropped the connection without a
  // word (exec). A system call.
  bool Abandoned() const;

  // The status of a call for which the client's memory has no room.
  Status NoRoomForClient() const;

  link::Connection& link() { return *link_; }
  ServerCore& core() const { return *core_; }
  const std::string& peer() const { return peer_; }
  // Made when it is first asked for. Any thread.
  std::shared_ptr<const AuthContext> auth_context();

 private:
  void Bind(const link::Frame& frame);
  std::unique_ptr<ServerCall> Open(const link::Frame& frame)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // null: there is none of that method.
  std::unique_ptr<ServerCall> TakeSpare(ServedMethod* method)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Message(const link::Frame& frame) ABSL_LOCKS_EXCLUDED(mutex_);
  void Credit(const link::Frame& frame) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the call with `status`, if there is one.
  void EndOne(uint32_t call_id, const Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A frame whose block this side has refused.
  std::unique_ptr<ServerCall> TakeRefused(const link::Frame& frame);
  // The client does what none may do.
  void Refuse(uint32_t call_id, const absl::Status& lie);
  int64_t DeadlineHere(int64_t client_deadline_ns) const;

  ServerCore* const core_;
  const std::unique_ptr<link::ClientQuotas::Seat> seat_;  // may be null
  const std::unique_ptr<link::Connection> link_;
  const int64_t clock_offset_ns_;
  const std::string peer_;
  absl::once_flag auth_context_once_;
  std::shared_ptr<const AuthContext> auth_context_;
  std::vector<ServedMethod*> methods_;  // by the client's numbers; may be null
  std::atomic<bool> client_dead_{false};
  std::function<void()> wake_;  // set once, before the first frame

  // Held while a stream takes its own lock; nothing is waited for under it.
  absl::Mutex mutex_;
  // Those that have not ended.
  CallTable<ServerCall> calls_ ABSL_GUARDED_BY(mutex_);
  // Finished ones, for the next calls; the last used at the back.
  std::vector<std::unique_ptr<ServerCall>> spare_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<platform::DeathWatch> watch_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_CONNECTION_H_
