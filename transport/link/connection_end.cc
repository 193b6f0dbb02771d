// Connection: how it ends, and how its peer is told.

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/connection.h"
#include "transport/platform/clock.h"
#include "transport/platform/fork.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {

using memory::ConnectionPage;
using platform::Guarded;

namespace {

// For how long RingPeer finds no word to ring before it gives up.
constexpr int64_t kLostRingPatienceNs = 1000 * 1000 * 1000;

}  // namespace

bool Connection::PeerClosed() {
  uint32_t closed = 0;
  if (!Guarded(parts_.view, [&] {
        // SYNC(closed): acquire pairs with the release in Close; records
        // published before are seen by the next Next().
        closed = page_->side[peer_side_].closed.load(std::memory_order_acquire);
      })) {
    FailPoisoned();
    return true;
  }
  return closed != 0;
}

void Connection::Close() {
  // A forked copy leaves its parent's connection alone.
  if (platform::ForkGeneration() != fork_generation_) return;
  bool first = false;
  const bool alive = Guarded(parts_.view, [&] {
    // SYNC(closed)
    first =
        page_->side[side_].closed.exchange(1, std::memory_order_acq_rel) == 0;
    SHMRPC_STORE_POINT("connection.closed");
  });
  if (!alive) {
    CloseWithoutView();
  } else if (first) {
    Ring();
  }
}

// This side's view is gone. Where that is only its own misfortune (Windows) the
// object can be mapped once more, to leave word; where the object is gone for
// both (Linux), the peer finds out itself when it is woken.
void Connection::CloseWithoutView() {
  // Relaxed: decides who does it, nothing else.
  if (closed_without_view_.exchange(true, std::memory_order_relaxed)) return;
  const auto again = parts_.mapping.Map(0, sizeof(ConnectionPage),
                                        platform::Access::kReadWrite);
  if (again.ok()) {
    auto* page = reinterpret_cast<ConnectionPage*>(again->data());
    Guarded(*again, [&] {
      // SYNC(closed)
      page->side[side_].closed.store(1, std::memory_order_release);
      SHMRPC_STORE_POINT("connection.closed without view");
    });
  }
  Ring();
}

void Connection::Fail(absl::Status reason) {
  {
    absl::MutexLock lock(&status_mutex_);
    if (broken_.load(std::memory_order_relaxed)) return;
    status_ = std::move(reason);
    broken_.store(true, std::memory_order_release);  // pairs with broken()
  }
  // The peer is told at once: it may be waiting for what never comes, and this
  // side may keep the broken connection for long.
  Close();
}

void Connection::FailPoisoned() {
  Fail(absl::DataLossError(
      absl::StrCat("connection ", parts_.name.name,
                   ": its shared memory is gone (an access faulted: the object "
                   "was truncated, or the system could not supply a page)")));
}

absl::Status Connection::status() const {
  absl::MutexLock lock(&status_mutex_);
  return status_;
}

bool Connection::Ring(bool all) {
  const auto signal = [&] {
    all ? parts_.peer_event.SignalAll() : parts_.peer_event.Signal();
  };
  signal();
  if (!parts_.peer_event.Gone()) return true;
  // Its owner may have made it good meanwhile. If not, and if this ring is
  // lost, it looks at everything once it has.
  if (parts_.restore_peer_event == nullptr || !parts_.restore_peer_event()) {
    return false;
  }
  signal();
  return !parts_.peer_event.Gone();
}

void Connection::RingPeer() {
  if (Ring(/*all=*/true)) {
    ring_lost_since_ns_ = 0;
    return;
  }
  const int64_t now_ns = platform::MonotonicNowNs();
  if (ring_lost_since_ns_ == 0) ring_lost_since_ns_ = now_ns;
  if (parts_.restore_peer_event != nullptr &&
      now_ns - ring_lost_since_ns_ < kLostRingPatienceNs) {
    return;
  }
  Fail(absl::DataLossError(
      absl::StrCat("connection ", parts_.name.name,
                   ": the word that wakes its peer is gone (truncated by some "
                   "process of this user), and the peer does not make it "
                   "good")));
}

}  // namespace link
}  // namespace shmrpc
