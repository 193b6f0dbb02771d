// Request and response objects that have grown large, kept by a server for the
// next large calls of the same method: the page faults of a fresh buffer of a
// MiB cost more than the copies into it.
//
//   MessageStore store;
//   MessagePair pair;
//   store.Take(method, &pair);     // the pair used last, if there is one
//   ... parse, handle, reply, Clear() ...
//   store.Keep(method, std::move(pair), bytes_that_passed);
//
// Small messages never come here: each call keeps those itself. What is here
// is given back
//
// * when more than `max_bytes` is here: the pair that was kept first,
// * when a pair was used `kUsesPerReview` times for messages of less than a
//   quarter of what it holds,
// * when a pair was not used during the last `kMaxAge` uses of others,
// * by TidyUp, all of it, when nothing was used for `idle_ns`.
//
// So no timer is needed, and a server that nobody calls keeps what the last
// calls have used, up to `max_bytes`.
//
// Thread rule: any. Ownership: of what it keeps; methods outlive it.

#ifndef SHMRPC_TRANSPORT_RPC_MESSAGE_STORE_H_
#define SHMRPC_TRANSPORT_RPC_MESSAGE_STORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/message_lite.h"

namespace shmrpc {
namespace internal {

class ServedMethod;

// Messages up to this long, both together, stay with their call.
constexpr uint64_t kSmallMessageBytes = 64 * 1024;

struct MessagePair {
  std::unique_ptr<google::protobuf::MessageLite> request;
  std::unique_ptr<google::protobuf::MessageLite> response;
  // The store's: what both hold, as far as known; 0: never stored.
  uint64_t held_bytes = 0;
  uint64_t measured_for_bytes = 0;  // the most that passed at a measurement
  uint64_t most_bytes = 0;          // that passed since the last review
  int uses = 0;                     // since then
};

class MessageStore {
 public:
  struct Limits {
    uint64_t max_bytes = 128 << 20;
    int64_t idle_ns = int64_t{10} * 1000 * 1000 * 1000;
  };
  static constexpr int kUsesPerReview = 32;
  static constexpr uint64_t kMaxAge = 256;

  MessageStore() : MessageStore(Limits()) {}
  explicit MessageStore(const Limits& limits) : limits_(limits) {}
  MessageStore(const MessageStore&) = delete;
  MessageStore& operator=(const MessageStore&) = delete;

  // Replaces `*pair` if there is one of `method`.
  void Take(ServedMethod* method, MessagePair* pair)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // `pair` is cleared; `passed_bytes` long were its messages.
  void Keep(ServedMethod* method, MessagePair pair, uint64_t passed_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // For when there is nothing to do; costs nothing while nothing is kept.
  void TidyUp() ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t held_bytes() const {
    // Relaxed: a number and nothing else.
    return held_bytes_.load(std::memory_order_relaxed);
  }

 private:
  struct Kept {
    ServedMethod* method;
    MessagePair pair;
    uint64_t kept_at;  // value of uses_
  };

  void DropFirst(std::deque<Kept>* dropped)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const Kept& kept) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  std::atomic<uint64_t> held_bytes_{0};  // written under mutex_

  absl::Mutex mutex_;
  std::deque<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // the last used at the back
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t used_ns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_MESSAGE_STORE_H_
