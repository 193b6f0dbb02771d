// The peer shmrpc: what it costs besides time.

#include "bench/child_process.h"
#include "bench/rpc/peer.h"
#include "bench/rpc/resources.h"
#include "bench/scenario.h"

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  int exit_code = 0;
  if (PlayRole(argc, argv, &exit_code, AnswerAllocations)) return exit_code;
  Peer peer("shmrpc", "shm:" + UniqueName());
  RegisterResourceScenarios(&peer);
  return RunBenchmarks(argc, argv);
}
