// All floors and raw echoes in one program; each benchmark forks its own second
// process.

#include "bench/floors/floors.h"
#include "bench/scenario.h"

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  RegisterRawEchoes();
  RegisterProtobufFloors();
  RegisterOneWayFloor();
  RegisterManyClientsFloor();
  RegisterCachelineFloor();
  RegisterWakeFloor();
  RegisterMemcpyFloor();
  return RunBenchmarks(argc, argv);
}
