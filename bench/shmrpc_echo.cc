// The peer shmrpc: the public API as a user would write it, defaults but for
// the size limits.

#include <memory>
#include <string>
#include <vector>

#include "bench/bench_echo.pb.h"
#include "bench/bench_echo.shmrpc.pb.h"
#include "bench/child_process.h"
#include "bench/scenario.h"
#include "bench/unary_echo.h"
#include "shmrpc/shmrpc.h"

namespace shmrpc {
namespace bench {
namespace {

class EchoService final : public BenchEcho::Service {
  Status Echo(ServerContext*, const EchoMessage* request,
              EchoMessage* response) override {
    Answer(*request, response);
    return Status::OK;
  }
};

int Serve(const std::string& address) {
  EchoService service;
  ServerBuilder builder;
  builder.AddListeningPort(address, InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  ServeUntilParentEnds("ready");
  server->Shutdown();
  return 0;
}

// One server per run of the program, kept for all rounds of Google Benchmark.
class Peer {
 public:
  void Measure(benchmark::State& state, size_t bytes, Messages messages) {
    if (stub_ == nullptr && !Start()) return Fail(state, "no server");
    MeasureUnaryEcho<ClientContext, EchoMessage>(state, bytes, messages,
                                                 stub_.get());
  }

 private:
  bool Start() {
    const std::string target = "shm:" + UniqueName();
    server_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{"--serve=" + target});
    if (!server_->ok() || server_->ReadLine() != "ready") return false;
    ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = BenchEcho::NewStub(
        CreateCustomChannel(target, InsecureChannelCredentials(), arguments));
    return true;
  }

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
  Peer peer;
  RegisterUnaryEcho("shmrpc", [&](benchmark::State& state, size_t bytes) {
    peer.Measure(state, bytes, Messages::kFresh);
  });
  RegisterUnaryEcho("shmrpc_reused",
                    [&](benchmark::State& state, size_t bytes) {
                      peer.Measure(state, bytes, Messages::kReused);
                    });
  return RunBenchmarks(argc, argv);
}
