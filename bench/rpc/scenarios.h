// What is measured of an RPC library; README.md says what each one means.
//
// Every function registers benchmarks named after the peer, which must outlive
// RunBenchmarks.

#ifndef SHMRPC_BENCH_RPC_SCENARIOS_H_
#define SHMRPC_BENCH_RPC_SCENARIOS_H_

#include "bench/rpc/peer.h"

namespace shmrpc {
namespace bench {

// unary_echo, asleep_echo
void RegisterUnaryScenarios(Peer* peer);

// unary_echo as the peers NAME_reused, whose client keeps its messages, and
// NAME_deadline, whose calls have one.
void RegisterUnaryVariants(Peer* peer);

// stream_ping_pong, stream_one_way, stream_one_way_hint
void RegisterStreamScenarios(Peer* peer);

// many_threads
void RegisterThreadScenarios(Peer* peer);

// many_clients, connect: for a peer in a process of its own.
void RegisterClientScenarios(Peer* peer);

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_RPC_SCENARIOS_H_
