#include "transport/rpc/cond_var.h"

#include <utility>

#include "shmrpc/time.h"

namespace shmrpc {
namespace internal {

static_assert(kInfiniteFutureNs == platform::kNever, "passed on as it is");

void CondVar::Wait(absl::Mutex* mutex, int64_t deadline_ns) {
  Sleeper self;
  self.waiter = spare_ != nullptr ? std::move(spare_)
                                  : std::make_unique<platform::Waiter>();
  self.next = sleepers_;
  if (sleepers_ != nullptr) sleepers_->previous = &self;
  sleepers_ = &self;
  mutex->Unlock();
  self.waiter->Wait(nullptr, deadline_ns);
  mutex->Lock();
  if (self.next != nullptr) self.next->previous = self.previous;
  (self.previous != nullptr ? self.previous->next : sleepers_) = self.next;
  spare_ = std::move(self.waiter);
}

void CondVar::SignalAll() {
  for (Sleeper* s = sleepers_; s != nullptr; s = s->next) {
    s->waiter->Interrupt();
  }
}

}  // namespace internal
}  // namespace shmrpc
