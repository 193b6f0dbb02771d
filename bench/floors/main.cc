// All floors in one program; each benchmark forks its own second process.

#include "bench/floors/floors.h"
#include "bench/scenario.h"

int main(int argc, char** argv) {
  shmrpc::bench::RegisterCachelineFloor();
  shmrpc::bench::RegisterProtobufFloors();
  shmrpc::bench::RegisterMemcpyFloor();
  return shmrpc::bench::RunBenchmarks(argc, argv);
}
