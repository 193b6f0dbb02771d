// One call as the server keeps it, from the open frame to the close.
//
// Made by the thread that polls, run by that one or another. Its request is
// parsed out of the ring when it is made; one that lies in a block is parsed
// when the call runs, so that a gigabyte does not hold up the polling. Where a
// side streams, the messages pass through a ServerCallStream. A connection
// keeps a few finished calls for the next ones of the same method, so that a
// small unary call allocates nothing.
//
// A call ends once: who takes it out of its connection's table (Forget) sends
// the close, and whatever others have to say later is dropped.
//
// Thread rule: IsCancelled, TryCancel, cancel_group and EndWith from any thread
// while the handler runs; Stop with the connection's lock held, or by who has
// ended the call; the rest by one thread after the other.

#ifndef SHMRPC_TRANSPORT_RPC_SERVER_CALL_H_
#define SHMRPC_TRANSPORT_RPC_SERVER_CALL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/message_lite.h"
#include "shmrpc/cancel.h"
#include "shmrpc/server_context.h"
#include "shmrpc/status.h"
#include "transport/link/frame.h"
#include "transport/memory/memory_account.h"
#include "transport/rpc/message_store.h"
#include "transport/rpc/method_table.h"
#include "transport/rpc/server_call_state.h"
#include "transport/rpc/server_stream.h"

namespace shmrpc {
namespace internal {

class ServerConnection;

// gRPC answers an unparseable request with this code and no text.
Status Unparseable();
// A server's limit as a number of bytes: -1 is what protobuf can do.
int SendLimit(int max_send_bytes);

class ServerCall final : public ServerCallState {
 public:
  // `method` may be null: such a call can only be rejected.
  explicit ServerCall(ServedMethod* method) : method_(method) {}
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  // Makes it a call, new or once more. `connection` is held until Reset.
  void Start(std::shared_ptr<ServerConnection> connection, uint32_t call_id,
             int64_t deadline_ns);

  // Forgets the call, and hands its connection over. False: it cannot be used
  // again.
  bool Reset(std::shared_ptr<ServerConnection>* connection);

  // Takes metadata and request of an open frame. An error is the call's status.
  Status TakeOpen(const link::Frame& frame, int max_receive_bytes);

  // Runs the handler and keeps its status. Once.
  void Run();

  // Sends response or status. Once, after Run.
  void Reply(int max_send_bytes, bool* rang);

  // Instead of both: ends the call with `status`.
  void Reject(const Status& status);

  // Ends the call with `status` while its handler runs, unless it has ended.
  void EndWith(const Status& status);

  // What the end of a call leaves to do once no lock is held.
  struct Stopped {
    bool send_close = false;
    std::shared_ptr<CancelGroup> group;  // to be cancelled; may be null
  };
  // The call has ended with `status`: tells handler and stream.
  Stopped Stop(const Status& status) ABSL_LOCKS_EXCLUDED(group_mutex_);

  // null: neither side streams.
  ServerCallStream* stream() { return stream_.get(); }

  // ServerCallState:
  bool IsCancelled() const override;
  void TryCancel() override;
  const std::string& peer() const override;
  std::shared_ptr<const AuthContext> auth_context() const override;
  const std::string& client_metadata() const override {
    return client_metadata_;
  }
  std::shared_ptr<CancelGroup> cancel_group() override
      ABSL_LOCKS_EXCLUDED(group_mutex_);

  uint32_t call_id() const { return call_id_; }
  int64_t deadline_ns() const { return deadline_ns_; }
  ServedMethod* method() const { return method_; }
  const std::shared_ptr<ServerConnection>& connection() const {
    return connection_;
  }
  // While the handler runs; as it travels.
  const std::string& initial_metadata() const;
  // Known after Run.
  uint64_t response_bytes() const { return response_bytes_; }
  // Of request and response together.
  uint64_t message_bytes() const { return request_bytes_ + produced_bytes_; }
  // What its own strings for metadata have allocated, which a finished call
  // keeps for the next one.
  size_t metadata_capacity() const {
    return client_metadata_.capacity() + initial_metadata_.capacity() +
           trailing_metadata_.capacity();
  }

 private:
  Status TakeRequest(const link::Frame& frame, int max_receive_bytes);
  // The messages of the call: its own from last time, stored ones, new ones.
  void MakeMessages();
  // Clears them, and stores those that may hold much memory.
  void KeepMessages();
  Status TakeFirstMessage(const link::Frame& frame);
  // As the map that the handler may ask for takes them. False: no room.
  bool ChargePairs(size_t pairs);
  // Metadata and request from where TakeOpen left them.
  Status TakeBlock();
  // `*pairs`: how many.
  Status TakeMetadata(const platform::View& view, const uint8_t* metadata,
                      uint64_t metadata_bytes, size_t* pairs);
  void GiveBackBlock();
  // How the call ends: the handler's status, which is gone then, or what speaks
  // against its answer.
  Status TakeVerdict(int max_send_bytes);
  std::shared_ptr<CancelGroup> TakeGroup() ABSL_LOCKS_EXCLUDED(group_mutex_);

  ServedMethod* const method_;
  MessagePair messages_;
  uint64_t request_bytes_ = 0;
  uint64_t produced_bytes_ = 0;  // by the handler, sent or not

  std::shared_ptr<ServerConnection> connection_;
  uint32_t call_id_ = 0;
  int64_t deadline_ns_ = kInfiniteFutureNs;
  // Relaxed everywhere: it carries no data but itself.
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<ServerCallStream> stream_;
  std::string client_metadata_;

  const ServerContext* context_ = nullptr;  // while the handler runs
  Status status_;
  uint64_t response_bytes_ = 0;
  // What the handler has left, as it travels.
  std::string initial_metadata_;
  std::string trailing_metadata_;
  std::string metadata_complaint_;

  // What TakeOpen has left in its block, for the handler's thread.
  std::shared_ptr<platform::View> block_view_;
  const uint8_t* block_metadata_ = nullptr;  // null: none
  uint64_t block_metadata_bytes_ = 0;
  const uint8_t* block_data_ = nullptr;  // the request; null: it is no request
  uint64_t block_bytes_ = 0;
  uint32_t returned_block_ = 0;  // to give back with the reply: 1 + number
  memory::Charge charge_;        // for a copy of what lay in the block

  absl::Mutex group_mutex_;
  std::shared_ptr<CancelGroup> group_ ABSL_GUARDED_BY(group_mutex_);
  // Relaxed: spares the lock those calls that have none; the handler, which
  // makes it, has returned when it matters.
  std::atomic<bool> has_group_{false};
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_CALL_H_
