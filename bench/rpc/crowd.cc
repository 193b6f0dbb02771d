// Many at once: threads over one channel, client processes beside each other;
// and what a new client pays for its first reply.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/rpc/scenarios.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytes = 64;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What every scenario of several callers reports.
void ReportShares(benchmark::State& state,
                  const std::vector<uint64_t>& counts) {
  uint64_t sum = 0;
  for (uint64_t count : counts) sum += count;
  if (sum == 0) return;
  const double mean = static_cast<double>(sum) / counts.size();
  state.counters["slowest_share"] =
      *std::min_element(counts.begin(), counts.end()) / mean;
}

// Each thread makes one call after the other over the peer's one channel.
Window MeasureThreads(benchmark::State& state, int threads, Peer* peer) {
  if (!peer->Start()) return {};
  enum { kWait, kGo, kStop };
  std::atomic<int> phase{kWait};
  std::atomic<int> ready{0};
  std::atomic<bool> failed{false};
  std::vector<uint64_t> counts(threads, 0);
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&, i] {
      const std::string payload = Payload(kBytes);
      const auto call = [&] {
        EchoMessage request, response;
        request.set_payload(payload);
        return Call(peer->stub(), request, &response, false).empty();
      };
      bool ok = true;
      for (int n = 0; ok && n < 8; ++n) ok = call();
      // Joining orders the counts; nothing else depends on these words.
      ready.fetch_add(1, std::memory_order_relaxed);
      while (phase.load(std::memory_order_relaxed) == kWait) {
        std::this_thread::yield();
      }
      uint64_t count = 0;
      while (ok && phase.load(std::memory_order_relaxed) == kGo) {
        ok = call();
        ++count;
      }
      if (!ok) failed.store(true, std::memory_order_relaxed);
      counts[i] = count;
    });
  }
  while (ready.load(std::memory_order_relaxed) < threads) {
    std::this_thread::yield();
  }
  const auto start = Clock::now();
  phase.store(kGo, std::memory_order_relaxed);
  std::this_thread::sleep_for(std::chrono::duration<double>(WindowSeconds()));
  phase.store(kStop, std::memory_order_relaxed);
  const double elapsed_s = SecondsSince(start);
  for (std::thread& caller : callers) caller.join();
  if (failed.load(std::memory_order_relaxed)) {
    Fail(state, "a call failed");
    return {};
  }
  ReportShares(state, counts);
  Window window;
  window.seconds = elapsed_s;
  for (uint64_t count : counts) window.count += count;
  return window;
}

// The same with a process per caller.
Window MeasureClients(benchmark::State& state, int clients, Peer* peer) {
  if (!peer->Start()) return {};
  std::vector<std::unique_ptr<ChildProcess>> processes;
  for (int i = 0; i < clients; ++i) processes.push_back(peer->NewClient());
  for (auto& process : processes) {
    const std::string line = process->ok() ? process->ReadLine() : "";
    if (line == "ready") continue;
    Fail(state, "a client did not start: " + process->error() + line);
    return {};
  }
  // Nobody's first steps, nor those of the last to be told, are to count much.
  const std::string run = "run " + std::to_string(WindowSeconds());
  for (auto& process : processes) process->WriteLine(run);
  std::vector<uint64_t> counts;
  double calls_per_second = 0;
  for (auto& process : processes) {
    const std::string line = process->ReadLine();
    char* rest = nullptr;
    const uint64_t count = std::strtoull(line.c_str(), &rest, 10);
    const double elapsed_s = std::strtod(rest, nullptr);
    if (!(elapsed_s > 0)) {
      Fail(state, "a client failed: " + line);
      return {};
    }
    counts.push_back(count);
    calls_per_second += count / elapsed_s;
  }
  for (auto& process : processes) process->CloseInput();
  ReportShares(state, counts);
  Window window;
  for (uint64_t count : counts) window.count += count;
  if (window.count > 0) window.seconds = window.count / calls_per_second;
  return window;
}

// From "make me a channel" to the first reply; the channel's end is not in it.
Window MeasureConnect(benchmark::State& state, Peer* peer) {
  if (!peer->Start()) return {};
  const std::string payload = Payload(kBytes);
  const auto connect = [&](double* seconds) {
    EchoMessage request, response;
    request.set_payload(payload);
    const auto start = Clock::now();
    auto stub = BenchEcho::NewStub(peer->NewChannel());
    const std::string error = Call(stub.get(), request, &response, true);
    *seconds += SecondsSince(start);
    if (!error.empty()) Fail(state, error);
    return error.empty();
  };
  double unused = 0;
  for (int n = 0; n < 3; ++n) {
    if (!connect(&unused)) return {};
  }
  Window window;
  const auto start = Clock::now();
  do {
    if (!connect(&window.seconds)) return {};
    ++window.count;
  } while (SecondsSince(start) < WindowSeconds());
  return window;
}

}  // namespace

void RegisterThreadScenarios(Peer* peer) {
  for (int threads : kCrowds) {
    RegisterWindow("many_threads", peer->name(), std::to_string(threads), 0,
                   [=](benchmark::State& state) {
                     return MeasureThreads(state, threads, peer);
                   });
  }
}

void RegisterClientScenarios(Peer* peer) {
  for (int clients : kCrowds) {
    RegisterWindow("many_clients", peer->name(), std::to_string(clients), 0,
                   [=](benchmark::State& state) {
                     return MeasureClients(state, clients, peer);
                   });
  }
  RegisterWindow("connect", peer->name(), "", 0, [=](benchmark::State& state) {
    return MeasureConnect(state, peer);
  });
}

}  // namespace bench
}  // namespace shmrpc
