// One call as the server keeps it, from the request to the reply.
//
// Made by the thread that polls, run by that one or another. Its request is
// parsed out of the ring when it is made; one that lies in a block is parsed
// when the call runs, so that a gigabyte does not hold up the polling. A
// connection keeps a few finished calls for the next ones of the same method,
// so that a small call allocates nothing.

#ifndef SHMRPC_TRANSPORT_RPC_SERVER_CALL_H_
#define SHMRPC_TRANSPORT_RPC_SERVER_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "google/protobuf/message_lite.h"
#include "shmrpc/status.h"
#include "transport/link/frame.h"
#include "transport/rpc/method_table.h"

namespace shmrpc {
namespace internal {

class ServerConnection;

// What a ServerContext asks of its call.
class ServerCallState {
 public:
  // `method` may be null: such a call can only be rejected.
  explicit ServerCallState(ServedMethod* method) : method_(method) {}
  ServerCallState(const ServerCallState&) = delete;
  ServerCallState& operator=(const ServerCallState&) = delete;

  // Makes it a call, new or once more. `connection` is held until Reset.
  void Start(std::shared_ptr<ServerConnection> connection, uint32_t call_id,
             int64_t deadline_ns);

  // Forgets the call. False: it has grown too large to be kept.
  bool Reset();

  // Takes the request of an open frame. An error is the call's status.
  Status TakeRequest(const link::Frame& frame, int max_receive_bytes);

  // Runs the handler and keeps its status. Once.
  void Run();

  // Sends response or status. Once, after Run.
  void Reply(int max_send_bytes, bool* rang);

  // Instead of both: ends the call with `status`.
  void Reject(const Status& status);

  // The client waits no more, or never will read the reply.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool IsCancelled() const;

  uint32_t call_id() const { return call_id_; }
  ServedMethod* method() const { return method_; }
  const std::shared_ptr<ServerConnection>& connection() const {
    return connection_;
  }
  // Known after Run.
  uint64_t response_bytes() const { return response_bytes_; }
  // Must the request still be parsed?
  bool request_in_block() const { return block_view_ != nullptr; }

 private:
  bool ParseBlock();
  void SendClose(const Status& status, bool* rang);

  ServedMethod* const method_;
  std::unique_ptr<google::protobuf::MessageLite> request_;
  std::unique_ptr<google::protobuf::MessageLite> response_;
  uint64_t used_bytes_ = 0;  // most that passed through the two

  std::shared_ptr<ServerConnection> connection_;
  uint32_t call_id_ = 0;
  int64_t deadline_ns_ = INT64_MAX;
  // Relaxed everywhere: it carries no data but itself.
  std::atomic<bool> cancelled_{false};
  Status status_;
  uint64_t response_bytes_ = 0;

  std::shared_ptr<platform::View> block_view_;
  const uint8_t* block_data_ = nullptr;
  uint64_t block_bytes_ = 0;
  uint32_t returned_block_ = 0;  // to give back with the reply: 1 + number
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_CALL_H_
