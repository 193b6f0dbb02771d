// A connected client: its calls in flight, and whose thread polls.
//
// There is no thread of ours: the calling threads poll the connection
// themselves. The first one that waits leads: it takes replies off the ring,
// its own and the others', until its own has come, and passes the lead on when
// it leaves. The others sleep. So one caller alone never hops between threads.
//
// Thread rule: any. Ownership: shared by the channel and the calls in flight.
// Failures: when the server dies, closes or breaks the protocol, every call in
// flight ends with UNAVAILABLE, and usable() is false from then on.

#ifndef SHMRPC_TRANSPORT_RPC_CLIENT_CONNECTION_H_
#define SHMRPC_TRANSPORT_RPC_CLIENT_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/message_lite.h"
#include "shmrpc/generated.h"
#include "shmrpc/status.h"
#include "transport/link/address.h"
#include "transport/link/connect.h"
#include "transport/rpc/client_call.h"

namespace shmrpc {
namespace internal {

class ClientConnection {
 public:
  // `on_end`, if not null, is called at most once, on the watching thread, when
  // the server's process has ended: usable() is false by then. Perhaps before
  // Connect returns, never once the destructor has. `cancel`, if not null, ends
  // this Connect with CANCELLED.
  static absl::StatusOr<std::shared_ptr<ClientConnection>> Connect(
      const link::Address& address, int64_t deadline_ns,
      std::function<void()> on_end = nullptr,
      std::shared_ptr<link::ConnectCancel> cancel = nullptr);
  ~ClientConnection();

  // `*sent` is false if the connection broke before the request left; then it
  // is safe to try again on another one.
  Status UnaryCall(const RpcMethod& method, int64_t deadline_ns,
                   const google::protobuf::MessageLite& request,
                   uint64_t request_bytes,
                   google::protobuf::MessageLite* response,
                   int max_receive_bytes, bool* sent);

  // False once calls can no longer succeed.
  bool usable() const;

  // "shm:greeter/1234"
  const std::shared_ptr<const std::string>& peer() const { return peer_; }

 private:
  explicit ClientConnection(link::Address address);

  // `*bound`: the server knows the method's name. False: too many calls.
  bool Register(ClientCall* call, uint32_t method_id, bool* bound)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Unregister(ClientCall* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Bind(const RpcMethod& method) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status SendRequest(const RpcMethod& method, ClientCall* call,
                           const google::protobuf::MessageLite& request,
                           uint64_t request_bytes);
  // Until the call is done or its deadline has passed; unregisters it.
  void Await(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);
  void Lead(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sleeps on the server's word; false: the deadline has passed.
  bool Sleep(ClientCall* call, int* naps);
  void Deliver(const link::Frame& frame, ClientCall* own)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Status TakeResponse(const link::Frame& frame, ClientCall* call);
  Status ParseBlock(ClientCall* call);
  void PassLead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailAll(const Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnServerDeath() ABSL_LOCKS_EXCLUDED(mutex_);
  // Why no further frame will come; OK if one may.
  absl::Status EndReason();

  const link::Address address_;
  std::shared_ptr<const std::string> peer_;
  link::ClientLink link_;

  absl::Mutex mutex_;
  ClientCall* leader_ ABSL_GUARDED_BY(mutex_) = nullptr;
  ClientCall* in_flight_ ABSL_GUARDED_BY(mutex_) = nullptr;  // list head
  // Calls by the low 16 bits of their id; the high 16 bits count reuses.
  std::vector<ClientCall*> slots_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> free_ids_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> bound_methods_ ABSL_GUARDED_BY(mutex_);
  // Of calls that have ended. (Not one per thread: a thread_local with a
  // destructor is not safe with mingw's emulated TLS, which frees it first.)
  std::vector<std::unique_ptr<platform::Waiter>> spare_waiters_
      ABSL_GUARDED_BY(mutex_);

  std::atomic<bool> server_dead_{false};
  std::atomic<bool> failed_{false};
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CLIENT_CONNECTION_H_
