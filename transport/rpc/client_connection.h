// A connected client: its calls in flight, and whose thread polls.
//
// The calling threads poll the connection themselves. The first one that waits
// leads: it takes frames off the ring, its own and the others', until what it
// waits for has come, and passes the lead on when it leaves. The others sleep.
// So one caller alone never hops between threads. A small unary call will wait
// as soon as it is sent: it takes the lead, if that is free, when it gets its
// id, and needs the lock twice in all. A thread of ours exists only while a
// cancel waits for room in the ring: its caller has gone, and perhaps nobody
// else comes.
//
// In three files: client_connection.cc opens and ends calls and sends,
// client_lead.cc waits and leads, client_delivery.cc takes frames to their
// calls.
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
#include <thread>
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
  // `options.on_server_death`: usable() is false by then; never called once the
  // destructor has returned. `copy_before_parse`: do so whoever the server is.
  static absl::StatusOr<std::shared_ptr<ClientConnection>> Connect(
      const link::Address& address, link::ConnectOptions options = {},
      bool copy_before_parse = false);
  ~ClientConnection();

  // --- a call's life

  // Gives the call an id and sends its open frame, with `message` if that is
  // not null; `last`: none follows. An error: the call is not open, is
  // forgotten, and nothing was sent. UNAVAILABLE: another connection may do.
  // `wait`, if not null, goes to AwaitEnd next: it may have the lead by then.
  absl::Status Open(ClientCall* call, const RpcMethod& method,
                    absl::string_view metadata,
                    const google::protobuf::MessageLite* message,
                    uint64_t message_bytes, bool last,
                    ClientWait* wait = nullptr) ABSL_LOCKS_EXCLUDED(mutex_);

  // Until the call has ended, by its deadline at the latest, and is forgotten.
  // Not for one whose Open failed. `wait`: for kEnd, and the one that Open got.
  void AwaitEnd(ClientWait* wait) ABSL_LOCKS_EXCLUDED(mutex_);
  void AwaitEnd(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_) {
    ClientWait wait(call, ClientWait::For::kEnd);
    AwaitEnd(&wait);
  }

  // Ends the call on this side and tells the server, unless it has ended.
  void End(ClientCall* call, const Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends it if its deadline is past. True: it was.
  bool EndIfExpired(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);

  // A response that AwaitEnd left in its block.
  void ParseLateResponse(ClientCall* call);

  // Instead of both: nobody wants the call any more. Ends it, unless it has
  // ended, and forgets it with all that came.
  void Abandon(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- a stream's messages

  // Sends a message, or with null only the word that none follows. Waits for
  // room in the window. False: the call has ended.
  bool SendMessage(ClientCall* call,
                   const google::protobuf::MessageLite* message,
                   uint64_t message_bytes, bool last)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Until what was sent is where the server finds it without our help, or the
  // call has ended. A thread that goes away with frames in the backlog would
  // leave them there until the next one comes.
  void AwaitSent(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes the next message. False: none will come.
  bool ReadMessage(ClientCall* call, google::protobuf::MessageLite* message)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Length of the next message. False: none will come.
  bool PeekMessage(ClientCall* call, uint64_t* size_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Until the server's initial metadata has come, or a message, or the end.
  void AwaitInitial(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);

  // A copy of what has come of it.
  std::string InitialMetadata(ClientCall* call) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- the connection

  // False once calls can no longer succeed.
  bool usable() const;

  // "shm:greeter/1234"
  const std::string& peer() const { return peer_; }
  const platform::ProcessId& peer_process() const {
    return link_.connection->peer();
  }
  const std::string& peer_user() const { return link_.connection->peer_user(); }

 private:
  explicit ClientConnection(link::Address address);

  // client_connection.cc
  // `*bound`: the server knows the method's name. False: too many calls.
  // `wait`: gets the lead if it is free; null: not wanted.
  bool Register(ClientCall* call, uint32_t method_id, ClientWait* wait,
                bool* bound) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unregister(ClientCall* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Bind(const RpcMethod& method) ABSL_LOCKS_EXCLUDED(mutex_);
  // True: a cancel must follow.
  bool NoteOpenedLocked(ClientCall* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendCancel(uint32_t call_id) ABSL_LOCKS_EXCLUDED(mutex_);
  void SendCredit(const ClientCall& call, uint32_t credit);
  // True: the next message is there, in the inbox or as `wait` says. One that
  // is too long ends the call; `*cancel`: a cancel must follow.
  bool AwaitMessage(ClientWait* wait, bool* cancel)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The lead's holder or the caller ends a call; true: a cancel must follow.
  bool EndLocked(ClientCall* call, const Status& status,
                 ClientCall::EndedBy ended_by)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same for a call that somebody else has ended: a status behind unread
  // messages is not the caller's yet.
  void GiveUpUnread(ClientCall* call, const Status& status,
                    ClientCall::EndedBy ended_by)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailAll(const Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnServerDeath() ABSL_LOCKS_EXCLUDED(mutex_);
  // Why no further frame will come; OK if one may.
  absl::Status EndReason();

  // client_lead.cc
  // Until what it waits for is there; ends the call at its deadline.
  void Await(ClientWait* wait) ABSL_LOCKS_EXCLUDED(mutex_);
  void AwaitLocked(ClientWait* wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Ready(const ClientWait& wait) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lead(ClientWait* wait) ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeLead(ClientWait* wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeaveLead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sleeps while another one leads.
  void Follow(ClientWait* wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a call whose deadline is past, and tells the server.
  void EndLate(ClientWait* wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes some of what has come, without waiting, unless somebody leads.
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  // Sees to it that what is in the backlog goes, whoever else comes or not.
  void FlushInBackground() ABSL_LOCKS_EXCLUDED(mutex_);
  // Sleeps on the server's word; false: the deadline has passed.
  bool Sleep(ClientWait* wait, int* naps);
  // Wakes one that sleeps, to lead.
  void PassLead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes those of the call's waits that are ready. `own`: that of the leader,
  // if it is the leader that calls; it looks for itself.
  void WakeReady(const ClientCall& call, const ClientWait* own = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // client_delivery.cc: on the thread that leads. `own` is its wait, null if it
  // waits for nothing. True: `own` is ready.
  bool Deliver(const link::Frame& frame, ClientWait* own)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool DeliverClose(const link::Frame& frame, ClientWait* own)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool DeliverMessage(const link::Frame& frame, ClientWait* own)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool DeliverCredit(const link::Frame& frame, ClientWait* own)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeInPlace(const link::Frame& frame, ClientWait* own);
  // What a close frame says; the caller is its ender.
  void TakeClose(const link::Frame& frame, ClientCall* call);
  Status TakeResponse(const link::Frame& frame, ClientCall* call);
  ClientCall* Find(uint32_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drop(const link::Frame& frame);
  // The status of a call for which the server's memory has no room.
  Status NoRoomForServer() const;
  // The server has lied about what it may send.
  void FailBeyondWindow();

  const link::Address address_;
  std::string peer_;
  link::ClientLink link_;

  absl::Mutex mutex_;
  bool led_ ABSL_GUARDED_BY(mutex_) = false;
  ClientWait* leader_ ABSL_GUARDED_BY(mutex_) = nullptr;  // null: it pumps
  platform::Waiter lead_waiter_;                          // where it sleeps
  // Those that sleep while another one leads; list head.
  ClientWait* waits_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // Calls by the low 16 bits of their id; the high 16 bits count reuses.
  std::vector<ClientCall*> slots_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> free_ids_ ABSL_GUARDED_BY(mutex_);
  std::vector<char> bound_methods_ ABSL_GUARDED_BY(mutex_);
  // Of waits that have ended. (Not one per thread: a thread_local with a
  // destructor is not safe with mingw's emulated TLS, which frees it first.)
  std::vector<std::unique_ptr<platform::Waiter>> spare_waiters_
      ABSL_GUARDED_BY(mutex_);

  std::atomic<bool> server_dead_{false};
  std::atomic<bool> failed_{false};

  // FlushInBackground's: a call that is never opened, so that its thread waits
  // as any other.
  ClientCall flush_call_{nullptr, /*streams=*/true, CallOptions()};
  bool flushing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread flusher_;  // started under the mutex, joined when not flushing
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CLIENT_CONNECTION_H_
