// What a connection and a call cost besides time. Linux only; README.md says
// what each scenario means.
//
//   int main(int argc, char** argv) {
//     int exit_code;
//     if (PlayRole(argc, argv, &exit_code, AnswerAllocations)) ...

#ifndef SHMRPC_BENCH_RPC_RESOURCES_H_
#define SHMRPC_BENCH_RPC_RESOURCES_H_

#include <string>

#include "bench/rpc/peer.h"

namespace shmrpc {
namespace bench {

// idle_clients, idle_wakeups, idle_memory, allocations. The peer's server is a
// process that answers with AnswerAllocations.
void RegisterResourceScenarios(Peer* peer);

// A server's reply to "allocations": how many it has made so far.
std::string AnswerAllocations(const std::string& line);

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_RPC_RESOURCES_H_
