#include "transport/rpc/message_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "google/protobuf/message.h"
#include "transport/platform/clock.h"
#include "transport/rpc/method_table.h"

namespace shmrpc {
namespace internal {
namespace {

// 0 if the type cannot tell.
uint64_t SpaceOf(const google::protobuf::MessageLite& message) {
  const auto* full = dynamic_cast<const google::protobuf::Message*>(&message);
  return full == nullptr ? 0 : full->SpaceUsedLong();
}

// Notes a use. False: the pair holds far more than it was used for of late.
bool Review(MessagePair* pair, uint64_t passed_bytes) {
  pair->most_bytes = std::max(pair->most_bytes, passed_bytes);
  const bool due = ++pair->uses >= MessageStore::kUsesPerReview;
  // It takes a look at every field, so not at each use. A message of the same
  // length but another shape may hold more; that is noticed when it is due.
  if (due || passed_bytes > pair->measured_for_bytes) {
    pair->measured_for_bytes = std::max(pair->measured_for_bytes, passed_bytes);
    pair->held_bytes = std::max(
        SpaceOf(*pair->request) + SpaceOf(*pair->response),
        // At least what was needed at some time, which lite types still hold.
        pair->measured_for_bytes);
  }
  if (!due) return true;
  const bool worth_it = pair->held_bytes / 4 <=
                        std::max(pair->most_bytes, kSmallMessageBytes / 4);
  pair->uses = 0;
  pair->most_bytes = 0;
  return worth_it;
}

}  // namespace

void MessageStore::Take(ServedMethod* method, MessagePair* pair) {
  MessagePair replaced;  // destroyed without the lock
  absl::MutexLock lock(&mutex_);
  const auto found =
      std::find_if(kept_.rbegin(), kept_.rend(),
                   [method](const Kept& k) { return k.method == method; });
  if (found == kept_.rend()) return;
  Forget(*found);
  replaced = std::exchange(*pair, std::move(found->pair));
  kept_.erase(std::next(found).base());
}

void MessageStore::Keep(ServedMethod* method, MessagePair pair,
                        uint64_t passed_bytes) {
  if (!Review(&pair, passed_bytes)) return;
  if (pair.held_bytes > limits_.max_bytes) return;
  const int64_t now_ns = platform::MonotonicNowNs();
  std::deque<Kept> dropped;  // destroyed without the lock
  absl::MutexLock lock(&mutex_);
  ++uses_;
  used_ns_ = now_ns;
  while (!kept_.empty() &&
         (held_bytes() + pair.held_bytes > limits_.max_bytes ||
          uses_ - kept_.front().kept_at > kMaxAge)) {
    DropFirst(&dropped);
  }
  // Relaxed: see held_bytes and ServedMethod::stored.
  held_bytes_.fetch_add(pair.held_bytes, std::memory_order_relaxed);
  method->stored().fetch_add(1, std::memory_order_relaxed);
  kept_.push_back({method, std::move(pair), uses_});
}

void MessageStore::TidyUp() {
  if (held_bytes() == 0) return;
  const int64_t now_ns = platform::MonotonicNowNs();
  std::deque<Kept> dropped;  // destroyed without the lock
  absl::MutexLock lock(&mutex_);
  if (now_ns - used_ns_ < limits_.idle_ns) return;
  while (!kept_.empty()) DropFirst(&dropped);
}

void MessageStore::DropFirst(std::deque<Kept>* dropped) {
  Forget(kept_.front());
  dropped->push_back(std::move(kept_.front()));
  kept_.pop_front();
}

void MessageStore::Forget(const Kept& kept) {
  held_bytes_.fetch_sub(kept.pair.held_bytes, std::memory_order_relaxed);
  kept.method->stored().fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace internal
}  // namespace shmrpc
