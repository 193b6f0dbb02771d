// What /proc says of a process. Linux only.
//
// Failures: a process that is gone has all zeros.

#ifndef SHMRPC_BENCH_RPC_PROCESS_STATS_H_
#define SHMRPC_BENCH_RPC_PROCESS_STATS_H_

#include <cstdint>

namespace shmrpc {
namespace bench {

// Voluntary and involuntary, of all its threads that live now.
int64_t ContextSwitches(uint32_t pid);

struct Memory {
  int64_t anonymous_bytes = 0;  // resident, private to the process
  int64_t shm_bytes = 0;        // mapped objects of /dev/shm, each once
};

// An object of /dev/shm counts whole, touched or not: its space is reserved
// when it is made.
Memory MemoryOf(uint32_t pid);

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_RPC_PROCESS_STATS_H_
