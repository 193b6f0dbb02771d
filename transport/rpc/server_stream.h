// The messages of one streaming call, as the server keeps them.
//
// The thread that polls delivers what arrives; the handler, on a thread of its
// own, reads and writes and waits here until it may: polling itself if it is
// quick (handler_turn.h), or asleep. Everything that can end its sleep happens
// in this process, so a mutex and two condition variables do.
//
// No frame of a call may follow its close, whose number the client uses again.
// So every frame is sent between a look at `ended_` and a count of those that
// are being sent, and where one is, its sender sends the close afterwards.
//
// Thread rule: Deliver, Credit and End with the connection's lock held, or by
// who has ended the call; the rest by the handler, whose one thread may read
// while another writes. Ownership: the call's.

#ifndef SHMRPC_TRANSPORT_RPC_SERVER_STREAM_H_
#define SHMRPC_TRANSPORT_RPC_SERVER_STREAM_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/generated.h"
#include "shmrpc/status.h"
#include "shmrpc/write_options.h"
#include "transport/link/flow_control.h"
#include "transport/link/frame.h"
#include "transport/rpc/cond_var.h"
#include "transport/rpc/handler_turn.h"
#include "transport/rpc/inbox.h"

namespace shmrpc {
namespace internal {

class ServerCall;
class ServerConnection;

class ServerCallStream final : public ServerStream {
 public:
  // `requests_ended`: the client sends no messages but the request.
  ServerCallStream(ServerCall* call, bool requests_ended);
  ServerCallStream(const ServerCallStream&) = delete;
  ServerCallStream& operator=(const ServerCallStream&) = delete;
  // With what the handler has not read.
  ~ServerCallStream();

  // A message (may be null) has arrived, and whether it was the last. DATA_LOSS
  // with the reason if the client must not send it; RESOURCE_EXHAUSTED if there
  // is no room for it. It then stays the caller's.
  absl::Status Deliver(ArrivedMessage* message, bool last)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // By the thread that polls for this stream: takes the message of `frame`
  // where it lies, if it is the one that a Read waits for. False: deliver it.
  bool TakeInPlace(const ServerConnection* from, const link::Frame& frame)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The client's reader has taken so much. DATA_LOSS: more than was sent.
  absl::Status Credit(uint32_t cost) ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing is read or written any more; who waits is woken. True: the caller
  // sends the close; false: a thread that is sending a frame will, with
  // `status`. Once.
  bool End(const Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  // The handler's turn to poll; used by who runs it.
  HandlerTurn* turn() { return &turn_; }

  // Did the initial metadata, if any, go its way?
  bool initial_sent() const ABSL_LOCKS_EXCLUDED(mutex_);

  void SendInitialMetadata() override ABSL_LOCKS_EXCLUDED(mutex_);
  bool NextMessageSize(uint32_t* size_bytes) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool Read(MessageLite* message) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Write(const MessageLite& message, WriteOptions options) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Wait until there is a message, or room for one. False: there will be
  // none; `*end` is then what the call must be ended with, OK if nothing.
  // `read`: may take it in place; may be null.
  bool AwaitMessage(InPlaceRead* read, Status* end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AwaitRoom(Status* end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Until something has changed, or for no reason. False: the deadline is past.
  // `*sleep`: this wait has polled, and is to sleep from now on.
  bool Wait(CondVar* change, InPlaceRead* read, bool* sleep)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A message was taken: what of its credit is to be sent, and announces that.
  void NoteTaken(uint32_t* credit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends what ++sending_ has announced.
  absl::Status SendAndLeave(link::OutgoingFrame* frame,
                            link::OutgoingFrame::Write write)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Before a frame that will carry it. False: it is too large.
  bool InitialMetadataFits(Status* end) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ServerCall* const call_;
  HandlerTurn turn_;

  mutable absl::Mutex mutex_;
  CondVar readable_;
  CondVar writable_;
  Inbox inbox_ ABSL_GUARDED_BY(mutex_);
  link::SendWindow window_ ABSL_GUARDED_BY(mutex_);
  bool requests_ended_ ABSL_GUARDED_BY(mutex_);
  bool writes_ended_ ABSL_GUARDED_BY(mutex_) = false;  // by the handler
  bool late_write_logged_ ABSL_GUARDED_BY(mutex_) = false;
  bool initial_sent_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int sending_ ABSL_GUARDED_BY(mutex_) = 0;
  // Left to who is sending.
  std::optional<Status> close_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_STREAM_H_
