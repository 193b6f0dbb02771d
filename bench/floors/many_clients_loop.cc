// Floor: the loop one would write by hand to serve many client processes.
//
// The server sweeps over two slots per client and answers what it finds, fresh
// messages each time. There are more processes than cores: whoever has nothing
// to do gives its core to another one (sched_yield) instead of pausing.

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench_echo.pb.h"
#include "bench/floors/floors.h"
#include "bench/floors/slot.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytes = 64;
constexpr int kSpins = 100;  // looks before a core is given away

// One client's memory. Its child process writes result and request.
struct Client {
  std::atomic<uint32_t> go;  // 1: call
  // Written before the request slot's End, read after it.
  uint64_t count;
  double seconds;
  alignas(64) uint8_t request_room[128];
  alignas(64) uint8_t response_room[128];

  Slot* request() { return reinterpret_cast<Slot*>(request_room); }
  Slot* response() { return reinterpret_cast<Slot*>(response_room); }
};
static_assert(sizeof(Client::request_room) >= kBytes + Slot::kOverheadBytes);

void Call(Client* client, double window_s) {
  const std::string payload = Payload(kBytes);
  while (client->go.load(std::memory_order_acquire) == 0) sched_yield();
  const auto start = Clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  uint64_t number = 0;
  bool ok = true;
  while (ok && elapsed_s() < window_s) {
    EchoMessage request, response;
    request.set_payload(payload);
    client->request()->Send(++number, request);
    for (int spins = 0; client->response()->Seen() != number; ++spins) {
      if (spins < kSpins) {
        _mm_pause();
      } else {
        sched_yield();
      }
    }
    ok = client->response()->Receive(&response) &&
         response.payload().size() == kBytes;
  }
  client->count = ok ? number : 0;
  client->seconds = elapsed_s();
  client->request()->End();
}

void ServeAll(const std::vector<Client*>& clients) {
  std::vector<uint64_t> answered(clients.size(), 0);
  size_t live = clients.size();
  for (int idle_sweeps = 0; live > 0; ++idle_sweeps) {
    for (size_t i = 0; i < clients.size(); ++i) {
      const uint64_t seen = clients[i]->request()->Seen();
      if (seen == answered[i]) continue;
      idle_sweeps = 0;
      answered[i] = seen;
      if (seen == Slot::kEnd) {
        --live;
        continue;
      }
      EchoMessage request, response;
      // A request that does not parse gets an empty answer, and is noticed.
      clients[i]->request()->Receive(&request);
      response.set_payload(request.payload());
      clients[i]->response()->Send(seen, response);
    }
    if (idle_sweeps > kSpins / static_cast<int>(clients.size())) sched_yield();
  }
}

Window Measure(benchmark::State& state, int count) {
  std::vector<std::unique_ptr<TwoProcesses>> processes;
  std::vector<Client*> clients;
  const double window_s = WindowSeconds();
  for (int i = 0; i < count; ++i) {
    processes.push_back(std::make_unique<TwoProcesses>(
        sizeof(Client),
        [=](void* memory) { Call(static_cast<Client*>(memory), window_s); }));
    clients.push_back(static_cast<Client*>(processes.back()->memory()));
    if (!processes.back()->ok()) Fail(state, processes.back()->error());
  }
  for (size_t i = 0; i < clients.size(); ++i) {
    // A child that is not there has nothing to end.
    if (!processes[i]->ok() && clients[i] != nullptr) {
      clients[i]->request()->End();
    }
  }
  clients.erase(std::remove(clients.begin(), clients.end(), nullptr),
                clients.end());
  for (Client* client : clients) {
    client->go.store(1, std::memory_order_release);
  }
  ServeAll(clients);
  if (state.error_occurred()) return {};
  Window window;
  double calls_per_second = 0;
  uint64_t slowest = clients[0]->count;
  for (Client* client : clients) {
    window.count += client->count;
    calls_per_second += client->count / client->seconds;
    slowest = std::min(slowest, client->count);
  }
  if (slowest == 0) {
    Fail(state, "an echoed payload differs");
    return {};
  }
  window.seconds = window.count / calls_per_second;
  state.counters["slowest_share"] =
      slowest * static_cast<double>(count) / window.count;
  return window;
}

}  // namespace

void RegisterManyClientsFloor() {
  for (int count : kCrowds) {
    RegisterWindow(
        "many_clients", "floor_protobuf", std::to_string(count), 0,
        [=](benchmark::State& state) { return Measure(state, count); });
  }
}

}  // namespace bench
}  // namespace shmrpc
