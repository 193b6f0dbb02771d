#include "shmrpc/cancel.h"

#include <thread>

namespace shmrpc {
namespace internal {
namespace {

// In target_ while a Cancel runs: End waits for it.
class Busy final : public Cancellable {
 public:
  void Cancel() override {}
};
Busy busy;

}  // namespace

bool CancelSlot::Begin(Cancellable* target) {
  // SYNC(cancel): the store before the look.
  target_.store(target, std::memory_order_seq_cst);
  if (!requested_.load(std::memory_order_seq_cst)) return false;
  End();
  return true;
}

void CancelSlot::End() {
  for (;;) {
    // Relaxed: the exchange decides.
    Cancellable* current = target_.load(std::memory_order_relaxed);
    // SYNC(cancel-done): acquire pairs with the release of the Request that put
    // the target back; its Cancel is over.
    if (current != &busy && target_.compare_exchange_weak(
                                current, nullptr, std::memory_order_acquire,
                                std::memory_order_relaxed)) {
      return;
    }
    std::this_thread::yield();
  }
}

void CancelSlot::Request() {
  // SYNC(cancel): the store before the look. Whoever was first to ask cancels
  // what has begun, or Begin sees it.
  if (requested_.exchange(true, std::memory_order_seq_cst)) return;
  Cancellable* current = target_.load(std::memory_order_seq_cst);
  do {
    if (current == nullptr) return;
  } while (!target_.compare_exchange_weak(current, &busy,
                                          std::memory_order_seq_cst));
  current->Cancel();
  // SYNC(cancel-done): the last look at this object; after it, End may return
  // and both target and slot may die.
  target_.store(current, std::memory_order_release);
}

void CancelSlot::Abandon() {
  // No Request runs any more: it would be one of a context that is destroyed.
  // Acquire: one that ran has put the target back, SYNC(cancel-done).
  Cancellable* current = target_.load(std::memory_order_acquire);
  if (current == nullptr) return;
  target_.store(nullptr, std::memory_order_relaxed);
  current->Orphan();
}

void CancelGroup::Add(CancelSlot* slot) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (cancelled_) slot->Request();
  slots_.insert(slot);
}

void CancelGroup::Remove(CancelSlot* slot) {
  std::lock_guard<std::mutex> lock(mutex_);
  slots_.erase(slot);
}

void CancelGroup::CancelAll() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  for (CancelSlot* slot : slots_) slot->Request();
}

}  // namespace internal
}  // namespace shmrpc
