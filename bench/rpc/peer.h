// One way to reach a server of BenchEcho: the library and an address.
//
//   int main(int argc, char** argv) {
//     int exit_code;
//     if (PlayRole(argc, argv, &exit_code)) return exit_code;
//     Peer peer("shmrpc", "shm:" + UniqueName());
//     RegisterUnaryScenarios(&peer);                    // scenarios.h
//     return RunBenchmarks(argc, argv);
//   }
//
// The server is this program in a second process, started when a benchmark
// first needs it and kept for all of them; defaults but for the size limits.
//
// Thread rule: one thread; channels and stubs as their library says.

#ifndef SHMRPC_BENCH_RPC_PEER_H_
#define SHMRPC_BENCH_RPC_PEER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/child_process.h"
#include "bench/rpc/library.h"

namespace shmrpc {
namespace bench {

class Peer {
 public:
  // How to reach a server in this process, for a peer that is one.
  using InProcess = std::function<std::shared_ptr<rpc::Channel>(
      rpc::Server*, const rpc::ChannelArguments&)>;

  // `address`: what the server listens on. With `in_process` there is no second
  // process, and no address.
  Peer(std::string name, std::string address, InProcess in_process = nullptr);
  ~Peer();

  const std::string& name() const { return name_; }

  // Starts the server if that has not happened. False: it did not start.
  bool Start();

  // All of these only after Start.

  // The channel and the stub that most benchmarks share.
  BenchEcho::Stub* stub() { return stub_.get(); }
  std::shared_ptr<rpc::Channel> NewChannel();
  // Another process with a channel of its own, which has made one call when it
  // has said "ready". Asked "run SECONDS" it calls for so long, one call after
  // the other, and answers "COUNT ELAPSED_SECONDS", or why it could not.
  std::unique_ptr<ChildProcess> NewClient();
  ChildProcess* server() { return server_.get(); }

 private:
  struct Local;  // the server of a peer in this process

  const std::string name_;
  const std::string address_;
  const InProcess in_process_;
  std::string target_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<Local> local_;
  // They go before their server.
  std::shared_ptr<rpc::Channel> channel_;
  std::unique_ptr<BenchEcho::Stub> stub_;
};

// True if this process was started as a server or a client, and has been one.
// `answer`: what a server replies to a line from the process that started it.
bool PlayRole(
    int argc, char** argv, int* exit_code,
    const std::function<std::string(const std::string&)>& answer =
        [](const std::string&) { return ""; });

// One unary call with new context and `request`; "" or what went wrong. The
// reply must be as long as the request and, with `compare`, the same.
std::string Call(BenchEcho::Stub* stub, const EchoMessage& request,
                 EchoMessage* response, bool compare);

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_RPC_PEER_H_
