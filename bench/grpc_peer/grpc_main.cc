// The peers grpc_tcp, grpc_unix and grpc_inproc: gRPC C++'s synchronous API as
// its documentation shows it, insecure credentials, defaults but for the size
// limits.
//
// Not a Bazel target: it is linked with the system's gRPC and protobuf, and two
// copies of protobuf in one process abort. build.sh makes it.

#include <grpcpp/grpcpp.h>

#include "bench/child_process.h"
#include "bench/rpc/peer.h"
#include "bench/rpc/scenarios.h"
#include "bench/scenario.h"

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  int exit_code = 0;
  if (PlayRole(argc, argv, &exit_code)) return exit_code;
  Peer tcp("grpc_tcp", "127.0.0.1:0");
  Peer unix_socket("grpc_unix", "unix:/tmp/" + UniqueName());
  Peer in_process(
      "grpc_inproc", "",
      [](grpc::Server* server, const grpc::ChannelArguments& arguments) {
        return server->InProcessChannel(arguments);
      });
  for (Peer* peer : {&tcp, &unix_socket, &in_process}) {
    RegisterUnaryScenarios(peer);
    RegisterStreamScenarios(peer);
    RegisterThreadScenarios(peer);
  }
  RegisterUnaryVariants(&unix_socket);
  for (Peer* peer : {&tcp, &unix_socket}) RegisterClientScenarios(peer);
  return RunBenchmarks(argc, argv);
}
