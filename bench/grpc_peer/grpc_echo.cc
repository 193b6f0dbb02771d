// The peers grpc_tcp and grpc_unix: gRPC C++'s synchronous API as its
// documentation shows it, insecure credentials, defaults but for the size
// limits.
//
// Not a Bazel target: it is linked with the system's gRPC and protobuf, and two
// copies of protobuf in one process abort. build.sh makes it.

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>

#include "bench/child_process.h"
#include "bench/scenario.h"
#include "bench/unary_echo.h"
#include "bench_echo.grpc.pb.h"

namespace shmrpc {
namespace bench {
namespace {

class EchoService final : public BenchEcho::Service {
  grpc::Status Echo(grpc::ServerContext*, const EchoMessage* request,
                    EchoMessage* response) override {
    Answer(*request, response);
    return grpc::Status::OK;
  }
};

// Prints the address clients should use: a port is chosen by the system.
int Serve(const std::string& address) {
  EchoService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  ServeUntilParentEnds(
      address == "127.0.0.1:0" ? "127.0.0.1:" + std::to_string(port) : address);
  server->Shutdown();
  return 0;
}

// One server per run of the program, kept for all rounds of Google Benchmark.
class Peer {
 public:
  explicit Peer(const std::string& address) : address_(address) {}

  void Measure(benchmark::State& state, size_t bytes) {
    if (stub_ == nullptr && !Start()) return Fail(state, "no server");
    MeasureUnaryEcho<grpc::ClientContext, EchoMessage>(
        state, bytes, Messages::kFresh, stub_.get());
  }

 private:
  bool Start() {
    server_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{"--serve=" + address_});
    const std::string target = server_->ok() ? server_->ReadLine() : "";
    if (target.empty()) return false;
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = BenchEcho::NewStub(grpc::CreateCustomChannel(
        target, grpc::InsecureChannelCredentials(), arguments));
    return true;
  }

  const std::string address_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<BenchEcho::Stub> stub_;  // goes before its server
};

}  // namespace
}  // namespace bench
}  // namespace shmrpc

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  const std::string serve = ServeArgument(argc, argv);
  if (!serve.empty()) return Serve(serve);
  Peer tcp("127.0.0.1:0");
  Peer unix_socket("unix:/tmp/" + UniqueName());
  RegisterUnaryEcho("grpc_tcp", [&](benchmark::State& state, size_t bytes) {
    tcp.Measure(state, bytes);
  });
  RegisterUnaryEcho("grpc_unix", [&](benchmark::State& state, size_t bytes) {
    unix_socket.Measure(state, bytes);
  });
  return RunBenchmarks(argc, argv);
}
