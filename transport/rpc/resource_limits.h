// What a ResourceQuota refers to.
//
// Thread rule: any.

#ifndef SHMRPC_TRANSPORT_RPC_RESOURCE_LIMITS_H_
#define SHMRPC_TRANSPORT_RPC_RESOURCE_LIMITS_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

#include "transport/memory/memory_account.h"

namespace shmrpc {
namespace internal {

class ResourceLimits {
 public:
  const std::shared_ptr<memory::MemoryAccount>& memory() const {
    return memory_;
  }
  // Relaxed: read when a server starts, and no data goes with it.
  int max_threads() const {
    return max_threads_.load(std::memory_order_relaxed);
  }
  void set_max_threads(int max_threads) {
    max_threads_.store(max_threads, std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<memory::MemoryAccount> memory_ =
      std::make_shared<memory::MemoryAccount>(UINT64_MAX);
  std::atomic<int> max_threads_{std::numeric_limits<int>::max()};
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_RESOURCE_LIMITS_H_
