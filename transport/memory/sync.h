// The atomic operations that ring and doorbell are made of, as a parameter: the
// shipped code uses RealSync, tests run the same code under a scheduler of
// theirs.

#ifndef SHMRPC_TRANSPORT_MEMORY_SYNC_H_
#define SHMRPC_TRANSPORT_MEMORY_SYNC_H_

#include <atomic>

namespace shmrpc {
namespace memory {

struct RealSync {
  template <class T>
  using Atomic = std::atomic<T>;

  // Orders every earlier store of this thread before every later load.
  static void FullFence() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
};

}  // namespace memory
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_SYNC_H_
