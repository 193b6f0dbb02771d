#include "bench/rpc/resources.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "bench/rpc/allocation_count.h"
#include "bench/rpc/process_stats.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytes = 64;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Calls of a client that keeps its messages, for `seconds`.
Window CallFor(benchmark::State& state, double seconds, BenchEcho::Stub* stub) {
  EchoMessage request, response;
  request.set_payload(Payload(kBytes));
  Window window;
  const auto start = Clock::now();
  do {
    const std::string error = Call(stub, request, &response, false);
    if (!error.empty()) {
      Fail(state, error);
      return {};
    }
    ++window.count;
    window.seconds = SecondsSince(start);
  } while (window.seconds < seconds);
  return window;
}

// One busy client beside `count` that have called once and say nothing more.
Window MeasureBesideIdle(benchmark::State& state, int count, Peer* peer) {
  if (!peer->Start()) return {};
  std::vector<std::unique_ptr<ChildProcess>> idle;
  for (int i = 0; i < count; ++i) {
    idle.push_back(peer->NewClient());
    const std::string line = idle.back()->ok() ? idle.back()->ReadLine() : "";
    if (line == "ready") continue;
    Fail(state, "an idle client did not start: " + line);
    return {};
  }
  if (CallFor(state, 0.1, peer->stub()).count == 0) return {};
  const Window window = CallFor(state, WindowSeconds(), peer->stub());
  for (auto& client : idle) client->CloseInput();
  return window;
}

// An idle server and an idle client of it: how often the kernel runs either.
Window MeasureWakeups(benchmark::State& state, Peer* peer) {
  if (!peer->Start()) return {};
  auto client = peer->NewClient();
  if (client->ReadLine() != "ready") return {};
  // Whatever a call leaves to be done is not idleness.
  std::this_thread::sleep_for(
      std::chrono::duration<double>(std::min(1.0, WindowSeconds())));
  const int64_t server_before = ContextSwitches(peer->server()->pid());
  const int64_t client_before = ContextSwitches(client->pid());
  std::this_thread::sleep_for(std::chrono::duration<double>(WindowSeconds()));
  const int64_t server = ContextSwitches(peer->server()->pid());
  const int64_t of_client = ContextSwitches(client->pid());
  if (server == 0 || of_client == 0) {
    Fail(state, "the server or the client is gone");
    return {};
  }
  state.counters["server_wakeups"] =
      static_cast<double>(server - server_before);
  state.counters["client_wakeups"] =
      static_cast<double>(of_client - client_before);
  state.counters["wakeups"] =
      static_cast<double>(server - server_before + of_client - client_before);
  return {WindowSeconds(), 1};
}

// Each connection has made one call. What the first one costs is not in it:
// threads and tables that a process has once.
Window MeasureMemory(benchmark::State& state, Peer* peer) {
  constexpr int kConnections = 64;
  if (!peer->Start()) return {};
  const uint32_t server = peer->server()->pid();
  const uint32_t self = static_cast<uint32_t>(getpid());
  std::vector<std::unique_ptr<BenchEcho::Stub>> stubs;
  stubs.reserve(kConnections + 1);
  EchoMessage request, response;
  request.set_payload(Payload(kBytes));
  const auto connect = [&] {
    stubs.push_back(BenchEcho::NewStub(peer->NewChannel()));
    const std::string error =
        Call(stubs.back().get(), request, &response, true);
    if (!error.empty()) Fail(state, error);
    return error.empty();
  };
  if (!connect()) return {};
  const Memory server_before = MemoryOf(server);
  const Memory client_before = MemoryOf(self);
  const auto start = Clock::now();
  for (int i = 0; i < kConnections; ++i) {
    if (!connect()) return {};
  }
  const double seconds = SecondsSince(start);
  const Memory server_after = MemoryOf(server);
  const Memory client_after = MemoryOf(self);
  const auto each = [&](int64_t before, int64_t after) {
    return static_cast<double>(after - before) / kConnections;
  };
  const double of_server =
      each(server_before.anonymous_bytes, server_after.anonymous_bytes);
  const double of_client =
      each(client_before.anonymous_bytes, client_after.anonymous_bytes);
  // The same objects are mapped on both sides.
  const double shared =
      std::max(each(server_before.shm_bytes, server_after.shm_bytes),
               each(client_before.shm_bytes, client_after.shm_bytes));
  state.counters["server_bytes"] = of_server;
  state.counters["client_bytes"] = of_client;
  state.counters["shared_bytes"] = shared;
  state.counters["bytes_per_connection"] = of_server + of_client + shared;
  return {seconds, kConnections};
}

// What protobuf itself allocates in a server for one call: the payloads of a
// request that is parsed and of a response that is filled and serialized.
int64_t AllocationsOfMessages(int calls) {
  EchoMessage sent;
  sent.set_payload(Payload(kBytes));
  const std::string request_bytes = sent.SerializeAsString();
  std::vector<uint8_t> response_bytes(sent.ByteSizeLong());
  const int64_t before = AllocationCount();
  for (int i = 0; i < calls; ++i) {
    EchoMessage request, response;
    request.ParseFromString(request_bytes);
    response.set_payload(request.payload());
    response.ByteSizeLong();
    response.SerializeWithCachedSizesToArray(response_bytes.data());
  }
  return AllocationCount() - before;
}

int64_t AllocationsOfServer(Peer* peer) {
  peer->server()->WriteLine("allocations");
  return std::atoll(peer->server()->ReadLine().c_str());
}

// Per call, after warm-up, with messages that the client keeps: so anything it
// allocates is the library's. A server gets messages from the library; what
// protobuf allocates inside of fresh ones is taken off.
Window MeasureAllocations(benchmark::State& state, Peer* peer) {
  constexpr int kCalls = 10000;
  if (!peer->Start()) return {};
  EchoMessage request, response;
  request.set_payload(Payload(kBytes));
  const auto call = [&] {
    const std::string error = Call(peer->stub(), request, &response, false);
    if (!error.empty()) Fail(state, error);
    return error.empty();
  };
  if (!WarmUp(call)) return {};
  // What asking costs is the same each time.
  const int64_t asked = AllocationsOfServer(peer);
  const int64_t server_before = AllocationsOfServer(peer);
  const int64_t client_before = AllocationCount();
  const auto start = Clock::now();
  for (int i = 0; i < kCalls; ++i) {
    if (!call()) return {};
  }
  const double seconds = SecondsSince(start);
  const double client = AllocationCount() - client_before;
  const double server =
      AllocationsOfServer(peer) - server_before - (server_before - asked);
  // A server that gets by with less than two fresh messages take keeps its own,
  // which need nothing more.
  const double fresh = AllocationsOfMessages(kCalls);
  const double messages = server >= fresh ? fresh : 0;
  const auto each = [](double count) { return count / kCalls; };
  state.counters["client"] = each(client);
  state.counters["server"] = each(server);
  state.counters["server_messages"] = each(messages);
  // A client's messages are kept, too.
  state.counters["client_beyond_messages"] = each(client);
  state.counters["server_beyond_messages"] = each(server - messages);
  return {seconds, kCalls};
}

}  // namespace

void RegisterResourceScenarios(Peer* peer) {
  for (int count : {0, 1, 16, 256}) {
    RegisterWindow("idle_clients", peer->name(), std::to_string(count), 0,
                   [=](benchmark::State& state) {
                     return MeasureBesideIdle(state, count, peer);
                   });
  }
  const auto add = [peer](const char* scenario,
                          Window (*measure)(benchmark::State&, Peer*)) {
    RegisterWindow(scenario, peer->name(), "", 0, [=](benchmark::State& state) {
      return measure(state, peer);
    });
  };
  add("idle_wakeups", MeasureWakeups);
  add("idle_memory", MeasureMemory);
  add("allocations", MeasureAllocations);
}

std::string AnswerAllocations(const std::string& line) {
  return line == "allocations" ? std::to_string(AllocationCount()) : "what?";
}

}  // namespace bench
}  // namespace shmrpc
