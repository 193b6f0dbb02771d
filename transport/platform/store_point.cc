#include "transport/platform/store_point.h"

#include <atomic>

namespace shmrpc {
namespace platform {
namespace {

std::atomic<StorePointHook> current_hook{nullptr};

}  // namespace

#ifdef SHMRPC_STORE_POINTS
const bool kHaveStorePoints = true;
#else
const bool kHaveStorePoints = false;
#endif

void SetStorePointHook(StorePointHook hook) {
  // release: whoever calls the hook sees what was prepared for it.
  current_hook.store(hook, std::memory_order_release);
}

void StorePoint(const char* name) {
  // acquire: see above.
  const StorePointHook hook = current_hook.load(std::memory_order_acquire);
  if (hook != nullptr) hook(name);
}

}  // namespace platform
}  // namespace shmrpc
