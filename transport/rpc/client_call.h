// One call as the client keeps it, from opening it to its status, and the waits
// of the threads that use it.
//
// Any of them may end a call: the server's close frame, its caller (deadline,
// TryCancel), the loss of the connection. Whoever moves its state from kOpen to
// kEnding writes the status and then says kDone; the others come too late.

#ifndef SHMRPC_TRANSPORT_RPC_CLIENT_CALL_H_
#define SHMRPC_TRANSPORT_RPC_CLIENT_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "google/protobuf/message_lite.h"
#include "shmrpc/status.h"
#include "transport/link/flow_control.h"
#include "transport/platform/event.h"
#include "transport/rpc/inbox.h"

namespace shmrpc {
namespace internal {

// What a channel and a context say about a call.
struct CallOptions {
  int64_t deadline_ns = INT64_MAX;  // MonotonicNowNs() scale
  int max_receive_bytes = -1;       // -1: no limit
  int max_send_bytes = -1;          // -1: no limit
};

struct ClientCall {
  enum class State {
    kOpen,    // no status yet
    kEnding,  // somebody writes it
    kDone,    // it is final
  };
  enum class EndedBy {
    kServer,  // with a close frame: what came before it can still be read
    kLoss,    // of the connection: likewise, but Finish does not wait for it
    kClient,  // cancelled, expired, broken off: nothing is read any more
  };

  // `response`: where the only response goes; null if they are a stream.
  ClientCall(google::protobuf::MessageLite* response, bool streams,
             const CallOptions& options)
      : response(response),
        streams(streams),
        deadline_ns(options.deadline_ns),
        max_receive_bytes(options.max_receive_bytes) {}

  bool done() const {
    // SYNC(call-done): acquire pairs with the release of whoever ended it.
    return state.load(std::memory_order_acquire) == State::kDone;
  }
  // The right to end it; true once.
  bool TryEnd() {
    State open = State::kOpen;
    // Relaxed: only decides who ends it. What the ender writes is published by
    // the store of kDone.
    return state.compare_exchange_strong(open, State::kEnding,
                                         std::memory_order_relaxed);
  }
  // A message of that length, to receive.
  bool TooLong(uint64_t message_bytes) const {
    return max_receive_bytes >= 0 &&
           message_bytes > static_cast<uint64_t>(max_receive_bytes);
  }

  google::protobuf::MessageLite* const response;
  const bool streams;  // false: unary, one thread, and that one waits at once
  const int64_t deadline_ns;
  const int max_receive_bytes;  // -1: no limit
  uint32_t id = 0;
  // A frame sent since the last lead woke a sleeping server. Relaxed: advice.
  std::atomic<bool> rang{false};
  // Of the last message sent. Relaxed: advice.
  std::atomic<uint64_t> sent_bytes{0};

  std::atomic<State> state{State::kOpen};
  // Written by the ender.
  Status status;
  // Changes once more if the caller gives up the messages before a status.
  // Relaxed: kDone publishes it, what follows is under the mutex.
  std::atomic<EndedBy> ended_by{EndedBy::kServer};
  std::string trailing;  // the close frame's metadata
  // A response that lies in a block, for the caller to parse itself.
  std::unique_ptr<ArrivedMessage> late_response;

  // Under the connection's mutex. `inbox` also without it by a thread that both
  // leads and reads this call: nobody else touches it then. `window` is charged
  // and looked at without it by the thread that writes.
  Inbox inbox;
  link::SendWindow window;
  std::string initial;  // the server's initial metadata
  bool initial_arrived = false;
  bool opened = false;  // the open frame was sent: a cancel can follow
  // Its caller's end for it, which came while the close frame was being read.
  std::optional<Status> given_up;
};

// A thread that waits for something of a call. Lives on its stack.
struct ClientWait {
  enum class For {
    kEnd,      // and, after a close frame, that everything was read
    kMessage,  // or that none will come
    kInitial,  // the initial metadata, or that none will come
    kCredit,   // room in the window, or the end
    kSent,     // that no frame waits for room in the ring, or the end
  };

  ClientWait(ClientCall* call, For what) : call(call), what(what) {}

  ClientCall* const call;
  const For what;
  bool leads = false;  // has had the lead since its call was opened
  // Where it sleeps if another one leads; null until then.
  std::unique_ptr<platform::Waiter> waiter;

  // kMessage: the message may be parsed into it where it lies, by this thread
  // as it leads. Then `taken`, and what came of it; or it lies in a block,
  // which this thread parses after it has let go of the lead.
  google::protobuf::MessageLite* into = nullptr;
  bool taken = false;
  ParseResult parsed = ParseResult::kParsed;
  std::unique_ptr<ArrivedMessage> block;
  uint32_t credit = 0;  // to give for it

  // Neighbours among the waits that sleep. Under the connection's mutex.
  ClientWait* previous = nullptr;
  ClientWait* next = nullptr;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CLIENT_CALL_H_
