// Apart from the slot, which contexts contain: this needs to know them.

#include "shmrpc/cancel.h"
#include "shmrpc/client_context.h"

namespace shmrpc {
namespace internal {

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
