// The peer capnp_unix: Cap'n Proto's RPC over a Unix-domain socket, through its
// simple interface (EzRpc), as its documentation shows it.
//
// Not a Bazel target: it uses the system's library. build.sh makes it.

#include <capnp/ez-rpc.h>
#include <kj/async-io.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/child_process.h"
#include "bench/scenario.h"
#include "bench_echo.capnp.h"

namespace shmrpc {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using capnp_schema::BenchEcho;

constexpr char kServe[] = "--serve=";

// Room for a payload and what is around it, so that it is one allocation.
capnp::MessageSize SizeFor(size_t bytes) { return {bytes / 8 + 16, 0}; }

class EchoServer final : public BenchEcho::Server {
  kj::Promise<void> echo(EchoContext context) override {
    const capnp::Data::Reader payload = context.getParams().getPayload();
    context.getResults(SizeFor(payload.size())).setPayload(payload);
    return kj::READY_NOW;
  }

  kj::Promise<void> consume(ConsumeContext context) override {
    ++count_;
    bytes_ += context.getParams().getPayload().size();
    return kj::READY_NOW;
  }

  kj::Promise<void> summarize(SummarizeContext context) override {
    context.getResults().setMessageCount(std::exchange(count_, 0));
    context.getResults().setPayloadBytes(std::exchange(bytes_, 0));
    return kj::READY_NOW;
  }

  uint64_t count_ = 0;
  uint64_t bytes_ = 0;
};

int Serve(const std::string& path) {
  capnp::EzRpcServer server(kj::heap<EchoServer>(), "unix:" + path);
  kj::WaitScope& scope = server.getWaitScope();
  server.getPort().wait(scope);  // it listens
  std::cout << "ready" << std::endl;
  auto input = server.getLowLevelIoProvider().wrapInputFd(STDIN_FILENO);
  input->readAllText().wait(scope);  // until whoever started it is done
  unlink(path.c_str());
  return 0;
}

// A connection of this thread's.
class Client {
 public:
  explicit Client(const std::string& path)
      : client_("unix:" + path), echo_(client_.getMain<BenchEcho>()) {}

  // False: the reply is not what was sent (with `compare`), or not as long.
  bool Echo(const std::string& payload, bool compare) {
    auto request = echo_.echoRequest(SizeFor(payload.size()));
    std::memcpy(request.initPayload(payload.size()).begin(), payload.data(),
                payload.size());
    auto response = request.send().wait(client_.getWaitScope());
    const capnp::Data::Reader echoed = response.getPayload();
    return echoed.size() == payload.size() &&
           (!compare ||
            std::memcmp(echoed.begin(), payload.data(), payload.size()) == 0);
  }

  // Waits while too much is under way, as Cap'n Proto sees it.
  void Consume(const std::string& payload) {
    auto request = echo_.consumeRequest(SizeFor(payload.size()));
    std::memcpy(request.initPayload(payload.size()).begin(), payload.data(),
                payload.size());
    request.send().wait(client_.getWaitScope());
  }

  // Messages and bytes that have arrived.
  std::pair<uint64_t, uint64_t> Summarize() {
    auto response =
        echo_.summarizeRequest().send().wait(client_.getWaitScope());
    return {response.getMessageCount(), response.getPayloadBytes()};
  }

 private:
  capnp::EzRpcClient client_;
  BenchEcho::Client echo_;
};

// The server process, started when first needed, and the client that most
// benchmarks share.
class Peer {
 public:
  bool Start() {
    if (client_ != nullptr) return true;
    server_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{kServe + path_});
    if (!server_->ok() || server_->ReadLine() != "ready") return false;
    client_ = std::make_unique<Client>(path_);
    return true;
  }

  Client* client() { return client_.get(); }
  std::unique_ptr<Client> NewClient() {
    return std::make_unique<Client>(path_);
  }

 private:
  const std::string path_ = "/tmp/" + UniqueName();
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<Client> client_;  // goes before its server
};

void MeasureUnaryEcho(benchmark::State& state, size_t bytes, Peer* peer) {
  if (!peer->Start()) return Fail(state, "no server");
  const std::string payload = Payload(bytes);
  const auto call = [&] { return peer->client()->Echo(payload, false); };
  bool ok = peer->client()->Echo(payload, true) && WarmUp(call);
  for (auto _ : state) ok = ok && call();
  if (!ok) Fail(state, "the echoed payload differs");
}

Window WriteFor(benchmark::State& state, double seconds,
                const std::string& payload, Client* client) {
  Window window;
  const auto start = Clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  do {
    client->Consume(payload);
    ++window.count;
  } while (elapsed_s() < seconds);
  const auto arrived = client->Summarize();
  window.seconds = elapsed_s();
  if (arrived == std::make_pair(window.count, window.count * payload.size())) {
    return window;
  }
  Fail(state, "the reader has seen other messages than were written");
  return {};
}

Window MeasureOneWay(benchmark::State& state, size_t bytes, Peer* peer) {
  if (!peer->Start()) return {};
  const std::string payload = Payload(bytes);
  if (WriteFor(state, 0.05, payload, peer->client()).count == 0) return {};
  return WriteFor(state, WindowSeconds(), payload, peer->client());
}

Window MeasureAsleepEcho(benchmark::State& state, Peer* peer) {
  if (!peer->Start()) return {};
  const std::string payload = Payload(64);
  return MeasureAsleep(state,
                       [&] { return peer->client()->Echo(payload, true); });
}

Window MeasureConnect(benchmark::State& state, Peer* peer) {
  if (!peer->Start()) return {};
  const std::string payload = Payload(64);
  Window window;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    auto client = peer->NewClient();
    if (!client->Echo(payload, true)) return {};
    window.seconds +=
        std::chrono::duration<double>(Clock::now() - start).count();
    ++window.count;
  } while (std::chrono::duration<double>(Clock::now() - begin).count() <
           WindowSeconds());
  return window;
}

void RegisterScenarios(Peer* peer) {
  const std::string name = "capnp_unix";
  RegisterUnaryEcho(name, [=](benchmark::State& state, size_t bytes) {
    MeasureUnaryEcho(state, bytes, peer);
  });
  for (size_t bytes : kStreamBytes) {
    RegisterWindow("stream_one_way", name, std::to_string(bytes), bytes,
                   [=](benchmark::State& state) {
                     return MeasureOneWay(state, bytes, peer);
                   });
  }
  RegisterWindow("asleep_echo", name, "", 0, [=](benchmark::State& state) {
    return MeasureAsleepEcho(state, peer);
  });
  RegisterWindow("connect", name, "", 0, [=](benchmark::State& state) {
    return MeasureConnect(state, peer);
  });
}

}  // namespace
}  // namespace bench
}  // namespace shmrpc

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  const std::string path = RoleArgument(argc, argv, kServe);
  if (!path.empty()) return Serve(path);
  Peer peer;
  RegisterScenarios(&peer);
  return RunBenchmarks(argc, argv);
}
