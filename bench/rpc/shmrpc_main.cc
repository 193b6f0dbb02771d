// The peer shmrpc: the public API as a user would write it.

#include "bench/child_process.h"
#include "bench/rpc/peer.h"
#include "bench/rpc/scenarios.h"
#include "bench/scenario.h"

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  int exit_code = 0;
  if (PlayRole(argc, argv, &exit_code)) return exit_code;
  Peer peer("shmrpc", "shm:" + UniqueName());
  RegisterUnaryScenarios(&peer);
  RegisterUnaryVariants(&peer);
  RegisterStreamScenarios(&peer);
  RegisterThreadScenarios(&peer);
  RegisterClientScenarios(&peer);
  return RunBenchmarks(argc, argv);
}
