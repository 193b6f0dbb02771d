#include <pthread.h>
#include <signal.h>

#include <atomic>

#include "absl/base/optimization.h"
#include "transport/platform/guard.h"

namespace shmrpc {
namespace platform {
namespace {

thread_local bool sigbus_unblocked = false;

// The kernel kills a process that faults with SIGBUS blocked, whatever handler
// it has. Threads of thread pools and of signal-handling frameworks block all.
void UnblockSigbus() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGBUS);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  sigbus_unblocked = true;
}

}  // namespace

const bool kGuardUnwinds = false;

bool GuardedCall(const View& view, void (*fn)(void*), void* arg) {
  if (ABSL_PREDICT_FALSE(!sigbus_unblocked)) UnblockSigbus();
  fn(arg);
  // What fn read (zeros, perhaps) comes before the mark is read. Another
  // thread's handler marks before it maps the zeros.
  std::atomic_thread_fence(std::memory_order_acquire);
  return !view.poisoned();
}

}  // namespace platform
}  // namespace shmrpc
