// Counts what this process asks operator new for.
//
// Linking this library replaces operator new for the whole program. What is
// allocated with malloc itself does not count; the library and protobuf do not.
// Any thread.

#ifndef SHMRPC_BENCH_RPC_ALLOCATION_COUNT_H_
#define SHMRPC_BENCH_RPC_ALLOCATION_COUNT_H_

#include <cstdint>

namespace shmrpc {
namespace bench {

// Since the process started, by all threads.
int64_t AllocationCount();

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_RPC_ALLOCATION_COUNT_H_
