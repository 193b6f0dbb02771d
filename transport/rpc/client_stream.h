// A stream as a stub's user holds it: gRPC's rules for what may follow what,
// over a ClientConnection, which has the waiting.
//
// After fork() a child's copy is dead: it reads and writes nothing, Finish is
// UNAVAILABLE, and its end leaves the parent's call alone.

#ifndef SHMRPC_TRANSPORT_RPC_CLIENT_STREAM_H_
#define SHMRPC_TRANSPORT_RPC_CLIENT_STREAM_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/cancel.h"
#include "shmrpc/generated.h"
#include "transport/rpc/client_call.h"
#include "transport/rpc/client_connection.h"

namespace shmrpc {
namespace internal {

// A call that could not be started: `status` is all that comes of it.
std::unique_ptr<ClientStream> MakeFailedStream(Status status);

class LocalClientStream final : public ClientStream, public Cancellable {
 public:
  // `context`, `request` and `response` as ChannelInterface::StartStream has
  // them.
  LocalClientStream(std::shared_ptr<ClientConnection> connection,
                    const RpcMethod& method, ClientContext* context,
                    const CallOptions& options, const MessageLite* request,
                    MessageLite* response);
  ~LocalClientStream() override;

  // Sends the open frame, unless it is to wait for the first message. An error:
  // nothing was sent, and this stream is of no use. UNAVAILABLE: another
  // connection may do.
  absl::Status Start();

  void WaitForInitialMetadata() override;
  bool NextMessageSize(uint32_t* size_bytes) override;
  bool Read(MessageLite* message) override;
  bool Write(const MessageLite& message, WriteOptions options) override;
  bool WritesDone() override;
  Status Finish() override;

  void Cancel() override;
  void Orphan() override;

 private:
  // Sends the open frame if that has waited, with `message` (if not null) or
  // `last`; `*carried`: it took them along. False: the call has ended.
  bool EnsureOpen(const MessageLite* message, uint64_t message_bytes, bool last,
                  bool* carried) ABSL_LOCKS_EXCLUDED(open_mutex_);
  bool EnsureOpen() {
    bool carried;
    return EnsureOpen(nullptr, 0, false, &carried);
  }
  // This is a forked copy: connection and call are the parent's.
  bool Inherited() const;
  bool Send(const MessageLite* message, uint64_t message_bytes, bool last);
  bool TooLongToSend(uint64_t message_bytes);
  void PublishInitial();
  // Until the call has ended and is forgotten by the connection.
  void Close();

  const uint32_t fork_generation_;
  const std::shared_ptr<ClientConnection> connection_;
  const RpcMethod method_;  // the stub's may go before
  ClientContext* context_;  // null once it is gone
  const int max_send_bytes_;
  const MessageLite* const request_;
  ClientCall call_;

  // A corked call is opened by whichever of its threads comes first.
  absl::Mutex open_mutex_;
  std::atomic<bool> opened_{false};
  bool writes_done_;        // the writing thread's
  bool published_ = false;  // the initial metadata; the reading thread's
  bool finished_ = false;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CLIENT_STREAM_H_
