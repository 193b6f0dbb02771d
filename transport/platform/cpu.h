// Spinning politely.

#ifndef SHMRPC_TRANSPORT_PLATFORM_CPU_H_
#define SHMRPC_TRANSPORT_PLATFORM_CPU_H_

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || \
    defined(_M_IX86)
#include <immintrin.h>
#endif

namespace shmrpc {
namespace platform {

// Tells the core that this is a spin loop (x86 PAUSE, Arm YIELD). Inline: a
// call would cost as much as the pause.
inline void CpuRelax() {
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || \
    defined(_M_IX86)
  _mm_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield" ::: "memory");
#endif
}

// Begins to fetch the cache line at `address`, for a read soon. Never faults.
inline void Prefetch(const void* address) {
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || \
    defined(_M_IX86)
  _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
#elif defined(__aarch64__)
  asm volatile("prfm pldl1keep, [%0]" : : "r"(address));
#endif
}

// Gives the core to another ready thread, if there is one (sched_yield,
// SwitchToThread).
void YieldThread();

// Cores this process may run on, at least 1.
int AvailableCores();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_CPU_H_
