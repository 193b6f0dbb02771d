// Spinning politely.

#ifndef SHMRPC_TRANSPORT_PLATFORM_CPU_H_
#define SHMRPC_TRANSPORT_PLATFORM_CPU_H_

namespace shmrpc {
namespace platform {

// Tells the core that this is a spin loop (x86 PAUSE, Arm YIELD).
void CpuRelax();

// Gives the core to another ready thread, if there is one (sched_yield,
// SwitchToThread).
void YieldThread();

// Cores this process may run on, at least 1.
int AvailableCores();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_CPU_H_
