// A condition variable whose time-outs follow the monotonic clock, as deadlines
// do. Those of absl::CondVar and absl::Mutex follow the wall clock on Linux:
// one that is set back an hour makes their waits an hour longer.
//
//   absl::MutexLock lock(&mutex_);           absl::MutexLock lock(&mutex_);
//   while (!ready_) {                        ready_ = true;
//     if (platform::MonotonicNowNs() >=      changed_.SignalAll();
//         deadline_ns) return false;
//     changed_.Wait(&mutex_, deadline_ns);
//   }
//
// Thread rule: any thread that holds the mutex, always the same one. Ownership:
// outlives its waits.

#ifndef SHMRPC_TRANSPORT_RPC_COND_VAR_H_
#define SHMRPC_TRANSPORT_RPC_COND_VAR_H_

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "transport/platform/event.h"

namespace shmrpc {
namespace internal {

class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Lets go of the mutex until SignalAll is called, or MonotonicNowNs() reaches
  // `deadline_ns` (kInfiniteFutureNs: no limit); or for no reason.
  void Wait(absl::Mutex* mutex, int64_t deadline_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void SignalAll();

 private:
  // One wait, on its thread's stack.
  struct Sleeper {
    std::unique_ptr<platform::Waiter> waiter;
    Sleeper* previous = nullptr;
    Sleeper* next = nullptr;
  };

  Sleeper* sleepers_ = nullptr;
  // For the next wait. An interrupt that it still holds ends that one early.
  std::unique_ptr<platform::Waiter> spare_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_COND_VAR_H_
