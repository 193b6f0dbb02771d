#include <pthread.h>

#include <atomic>

#include "transport/platform/fork.h"

namespace shmrpc {
namespace platform {
namespace {

std::atomic<uint32_t> forks{0};

// relaxed, here and below: the child's only thread does this before fork()
// returns to it, and threads it starts later see it by starting.
void InChild() { forks.fetch_add(1, std::memory_order_relaxed); }

// Before main(), or when the module is loaded: no fork goes unnoticed.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, &InChild);

}  // namespace

uint32_t ForkGeneration() { return forks.load(std::memory_order_relaxed); }

}  // namespace platform
}  // namespace shmrpc
