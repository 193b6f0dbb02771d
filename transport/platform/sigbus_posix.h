// The kernel kills a process that faults with SIGBUS blocked, whatever handler
// it has. Threads of thread pools and of signal-handling frameworks block all.
// So whoever is about to touch shared memory calls this first.
//
// Thread rule: any; of each thread the first call makes a system call, the
// others look at a flag.

#ifndef SHMRPC_TRANSPORT_PLATFORM_SIGBUS_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_SIGBUS_POSIX_H_

#include <pthread.h>
#include <signal.h>

#include "absl/base/optimization.h"

namespace shmrpc {
namespace platform {

inline void UnblockSigbus() {
  static thread_local bool unblocked = false;
  if (ABSL_PREDICT_TRUE(unblocked)) return;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGBUS);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  unblocked = true;
}

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_SIGBUS_POSIX_H_
