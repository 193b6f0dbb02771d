#include "bench/rpc/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace shmrpc {
namespace bench {
namespace {

std::atomic<int64_t> count{0};

// Null if there is no memory.
void* Allocate(std::size_t size) {
  // A statistic: nothing is ordered by it.
  count.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}

// `alignment`: a power of two.
void* Allocate(std::size_t size, std::align_val_t alignment) {
  count.fetch_add(1, std::memory_order_relaxed);
  const std::size_t unit = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
}

void* OrAbort(void* memory) {
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

int64_t AllocationCount() { return count.load(std::memory_order_relaxed); }

}  // namespace bench
}  // namespace shmrpc

// The other forms end up in these, as the standard has it.
void* operator new(std::size_t size) {
  return shmrpc::bench::OrAbort(shmrpc::bench::Allocate(size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return shmrpc::bench::OrAbort(shmrpc::bench::Allocate(size, alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
