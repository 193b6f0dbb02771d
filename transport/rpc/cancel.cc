#include "shmrpc/cancel.h"

#include <thread>

#include "shmrpc/client_context.h"

namespace shmrpc {
namespace internal {
namespace {

// In target_ while a Request runs: End waits for it.
class Busy final : public Cancellable {
 public:
  void Cancel() override {}
};
Busy busy;

}  // namespace

bool CancelSlot::Begin(Cancellable* target) {
  // SYNC(cancel)
  target_.store(target, std::memory_order_seq_cst);
  if (!requested_.load(std::memory_order_seq_cst)) return false;
  End();
  return true;
}

void CancelSlot::End() {
  for (;;) {
    Cancellable* current = target_.load(std::memory_order_relaxed);
    // SYNC(cancel): acquire pairs with the release of the Request that gave the
    // target back; its Cancel is over.
    if (current != &busy &&
        target_.compare_exchange_strong(current, nullptr,
                                        std::memory_order_acq_rel)) {
      return;
    }
    std::this_thread::yield();
  }
}

void CancelSlot::Request() {
  // SYNC(cancel)
  requested_.store(true, std::memory_order_seq_cst);
  for (;;) {
    Cancellable* current = target_.load(std::memory_order_seq_cst);
    if (current == nullptr) return;
    if (current == &busy) {
      std::this_thread::yield();  // another Request is at it
      continue;
    }
    if (!target_.compare_exchange_strong(current, &busy,
                                         std::memory_order_seq_cst)) {
      continue;
    }
    current->Cancel();
    target_.store(current, std::memory_order_release);
    return;
  }
}

void CancelSlot::Abandon() {
  // No Request runs any more: it would be one of a context that is destroyed.
  Cancellable* current = target_.exchange(nullptr, std::memory_order_acquire);
  if (current != nullptr) current->Orphan();
}

void CancelGroup::Add(ClientContext* context) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (cancelled_) context->TryCancel();
  contexts_.insert(context);
}

void CancelGroup::Remove(ClientContext* context) {
  std::lock_guard<std::mutex> lock(mutex_);
  contexts_.erase(context);
}

void CancelGroup::CancelAll() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  for (ClientContext* context : contexts_) context->TryCancel();
}

}  // namespace internal
}  // namespace shmrpc
