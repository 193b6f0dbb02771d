#include <atomic>

#include "transport/platform/guard.h"
#include "transport/platform/sigbus_posix.h"

namespace shmrpc {
namespace platform {

const bool kGuardUnwinds = false;

bool GuardedCall(const View& view, void (*fn)(void*), void* arg) {
  UnblockSigbus();
  fn(arg);
  // What fn read (zeros, perhaps) comes before the mark is read. Another
  // thread's handler marks before it maps the zeros.
  std::atomic_thread_fence(std::memory_order_acquire);
  return !view.poisoned();
}

}  // namespace platform
}  // namespace shmrpc
