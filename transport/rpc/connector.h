// The state of one channel: its connection, and the attempts to get one.
//
//   Connector connector(address, arguments);
//   auto connection = connector.Get(deadline_ns, wait_for_ready, &cancel_slot);
//
//             attempt           it succeeds            server died or closed
//   IDLE -----------> CONNECTING ----------> READY --------------------> IDLE
//                       ^     |  it fails
//                attempt|     v
//                 TRANSIENT_FAILURE
//
// A thread that needs a connection connects itself, at once, also while there
// is a pause between other attempts (docs/decisions/0010). One connects, others
// wait for it; what an attempt that began before a call came says is no answer
// to that call, which then makes its own. A thread of ours exists only while
// somebody is waiting for a server that was not there: since State(true), until
// connected; and while wait-for-ready calls wait. It tries again and again,
// with pauses (backoff.h). Where the system starts none, State(true) makes it a
// TRANSIENT_FAILURE; each State(true), and WaitForChange now and then, asks the
// system again.
//
// The death of the server's process is seen at once. A server that closes the
// connection while it lives is seen by the next look: each State and Get looks,
// WaitForChange looks each 100 ms.
//
// Thread rule: any, except the destructor, which nobody may race; it ends the
// thread's attempt and joins it. Ownership: connections outlive the connector
// while calls hold them; what is borrowed must be returned before. After fork()
// a child's copy is dead: Get is UNAVAILABLE, Borrow null, State is SHUTDOWN,
// the destructor leaves the parent's objects alone.

#ifndef SHMRPC_TRANSPORT_RPC_CONNECTOR_H_
#define SHMRPC_TRANSPORT_RPC_CONNECTOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/cancel.h"
#include "shmrpc/channel_arguments.h"
#include "shmrpc/connectivity_state.h"
#include "transport/link/address.h"
#include "transport/link/connect.h"
#include "transport/rpc/backoff.h"
#include "transport/rpc/client_connection.h"
#include "transport/rpc/cond_var.h"

namespace shmrpc {
namespace internal {

class Connector {
 public:
  using Connection = std::shared_ptr<ClientConnection>;
  // ClientConnection::Connect, its address bound; tests have others. Given are
  // the deadline, what to call at the server's death, and what cancels it.
  using Attempt =
      std::function<absl::StatusOr<Connection>(link::ConnectOptions options)>;

  struct Options {
    BackoffOptions backoff;
    // Between two looks of WaitForChange at a connection.
    int64_t look_ns = 100 * 1000 * 1000;
    // Throws std::system_error if the system starts none.
    std::function<std::thread(std::function<void()>)> start_thread =
        [](std::function<void()> run) { return std::thread(std::move(run)); };
  };

  // `server_user`: see link::Connect.
  Connector(const link::Address& address, const std::string& server_user,
            const ChannelArguments& arguments);
  Connector(const std::string& target, Attempt attempt, const Options& options);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // A usable connection, if need be a new one. CANCELLED: `cancel` (may be
  // null) was requested. DEADLINE_EXCEEDED: `deadline_ns` has passed.
  // Otherwise, without `wait_for_ready`, why connecting failed.
  absl::StatusOr<Connection> Get(int64_t deadline_ns, bool wait_for_ready,
                                 CancelSlot* cancel);

  // The same without a lock: a usable connection that stays alive until Return,
  // which must follow. Null: there is none now, see Get, and nothing to return.
  ClientConnection* Borrow();
  void Return();

  // The state, before what `try_to_connect` starts.
  grpc_connectivity_state State(bool try_to_connect);

  // True as soon as the state is another one than `last`, or has been since the
  // call; false at the deadline.
  bool WaitForChange(grpc_connectivity_state last, int64_t deadline_ns);

 private:
  // Outlives the connector in the callbacks of its connections.
  struct Signal {
    absl::Mutex mutex;
    CondVar changed;
  };
  class Caller;

  bool Inherited() const;
  absl::StatusOr<Connection> Await(int64_t deadline_ns, bool wait_for_ready,
                                   const Caller& caller)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  // One attempt, without the mutex; nobody else may be at one.
  absl::StatusOr<Connection> Try(
      int64_t deadline_ns, const std::shared_ptr<link::ConnectCancel>& cancel)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  void DropRetired() ABSL_LOCKS_EXCLUDED(signal_->mutex);
  bool Usable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  grpc_connectivity_state Current() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  void Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  // Until the next change, or the deadline; or for no reason.
  void Sleep(int64_t deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  // False: the system starts none.
  bool EnsureThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(signal_->mutex);
  void RunThread() ABSL_LOCKS_EXCLUDED(signal_->mutex);

  const std::string target_;
  const Attempt attempt_;
  const Options options_;
  const uint32_t fork_generation_;
  const std::shared_ptr<Signal> signal_;

  Connection connection_ ABSL_GUARDED_BY(signal_->mutex);
  // SYNC(borrow): seq_cst on both words. Borrow counts itself and then looks at
  // current_; Try changes current_ and then looks at the count. So whoever has
  // borrowed a connection that is retired is counted until it is returned.
  std::atomic<ClientConnection*> current_{nullptr};  // connection_, for Borrow
  std::atomic<uint32_t> borrowers_{0};
  // Lost while they were borrowed; dropped when nobody borrows any.
  std::vector<Connection> retired_ ABSL_GUARDED_BY(signal_->mutex);
  std::atomic<bool> has_retired_{false};
  uint64_t changes_ ABSL_GUARDED_BY(signal_->mutex) = 0;  // of the state

  // The attempts so far, counted from 1.
  uint64_t started_ ABSL_GUARDED_BY(signal_->mutex) = 0;
  uint64_t last_failed_ ABSL_GUARDED_BY(signal_->mutex) = 0;
  absl::Status last_error_ ABSL_GUARDED_BY(signal_->mutex);  // of last_failed_
  bool connecting_ ABSL_GUARDED_BY(signal_->mutex) = false;
  bool failed_ ABSL_GUARDED_BY(signal_->mutex) = false;  // none has since

  // The thread runs while there is a reason.
  bool asked_ ABSL_GUARDED_BY(signal_->mutex) = false;  // by State(true)
  int waiting_ ABSL_GUARDED_BY(signal_->mutex) = 0;     // wait-for-ready calls
  bool stop_ ABSL_GUARDED_BY(signal_->mutex) = false;
  bool running_ ABSL_GUARDED_BY(signal_->mutex) = false;
  std::shared_ptr<link::ConnectCancel> thread_cancel_
      ABSL_GUARDED_BY(signal_->mutex);
  std::thread thread_;  // started under the mutex, joined when not running_
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CONNECTOR_H_
