// A streaming handler's own turn to poll.
//
// A handler that waits for its client would have to be woken by the thread that
// polls, for each message. So a handler that comes back for the next message
// soon, as it has done a few times, polls itself while it waits (poller.h). It
// keeps the lead while it works on the message, marked "in a handler", as the
// leader does in a handler that it runs inline: should it take long after all,
// the standby takes the lead over, and from then on the handler sleeps again
// until it has been quick a few times.
//
// Thread rule: Notify and notified from any thread; the rest between Enter and
// Leave, which let one thread pass at a time. Ownership: the stream's.

#ifndef SHMRPC_TRANSPORT_RPC_HANDLER_TURN_H_
#define SHMRPC_TRANSPORT_RPC_HANDLER_TURN_H_

#include <atomic>
#include <cstdint>

#include "shmrpc/time.h"
#include "transport/platform/clock.h"
#include "transport/rpc/message_io.h"
#include "transport/rpc/method_table.h"

namespace shmrpc {
namespace internal {

class ServerCallStream;

// A handler's Read, on its stack: while its own thread leads, the message is
// parsed into `into` where it lies.
struct InPlaceRead {
  explicit InPlaceRead(MessageLite* into) : into(into) {}

  MessageLite* const into;
  bool taken = false;
  // Then:
  ParseResult parsed = ParseResult::kParsed;
  uint32_t credit = 0;  // to give for it
};

class HandlerTurn {
 public:
  HandlerTurn(ServerCallStream* stream, int64_t deadline_ns)
      : stream_(stream), deadline_ns_(deadline_ns) {}

  ServerCallStream* stream() const { return stream_; }

  // Something has happened to the stream: look at it.
  void Notify() {
    // SYNC(turn-news): release pairs with the acquire in notified.
    news_.store(true, std::memory_order_release);
  }
  bool notified() const {
    // SYNC(turn-news)
    return news_.load(std::memory_order_acquire);
  }
  const std::atomic<bool>& news() const { return news_; }

  // Before a wait. False: another of the handler's threads is at it. With the
  // lock held under which Notify is called, so that no news is lost. `read` is
  // null if it waits for something else than a message.
  bool Enter(InPlaceRead* read) {
    // Acquire pairs with the release in Leave.
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    // Relaxed: the stream's lock orders it against Notify.
    news_.store(false, std::memory_order_relaxed);
    read_ = read;
    if (lead == 0 && quick_gaps_ < kFastRunsNeeded && left_ns_ != 0) {
      const int64_t gap_ns = platform::MonotonicNowNs() - left_ns_;
      quick_gaps_ = gap_ns <= kFastRunNs ? quick_gaps_ + 1 : 0;
    }
    return true;
  }
  void Leave() {
    if (quick_gaps_ < kFastRunsNeeded) left_ns_ = platform::MonotonicNowNs();
    busy_.store(false, std::memory_order_release);
  }

  bool quick() const { return quick_gaps_ >= kFastRunsNeeded; }
  void NoteSlow() { quick_gaps_ = 0; }
  bool Expired() const {
    return deadline_ns_ != kInfiniteFutureNs &&
           platform::MonotonicNowNs() >= deadline_ns_;
  }

  // Of the thread that polls for it; null: none, or it has its message.
  InPlaceRead* read() const {
    return read_ == nullptr || read_->taken ? nullptr : read_;
  }

  // What PollerThreads says; 0: not ours. Nonzero outside of Enter and Leave:
  // marked as in a handler.
  uint64_t lead = 0;

 private:
  std::atomic<bool> news_{false};
  std::atomic<bool> busy_{false};
  ServerCallStream* const stream_;
  const int64_t deadline_ns_;
  int64_t left_ns_ = 0;  // when the last wait ended; 0: there was none
  int quick_gaps_ = 0;   // in a row
  InPlaceRead* read_ = nullptr;
};

// Who polls for a handler: the server's poller.
class HandlerPolling {
 public:
  // Polls on the calling thread until `turn` is notified (true), or until its
  // deadline has passed or this thread should sleep instead (false).
  virtual bool PollFor(HandlerTurn* turn) = 0;

 protected:
  ~HandlerPolling() = default;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_HANDLER_TURN_H_
