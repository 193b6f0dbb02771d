#include "bench/scenario.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace shmrpc {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAsleepPeriod(10);

// Benchmarks run on the main thread only.
bool any_failed = false;
double window_seconds = 1;

std::string Name(const std::string& scenario, const std::string& peer,
                 const std::string& argument) {
  return scenario + "/" + peer + (argument.empty() ? "" : "/" + argument);
}

// Takes --window_s=SECONDS from the command line. False: not a time.
bool TakeWindow(int* argc, char** argv) {
  const std::string flag = "--window_s=";
  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    const std::string argument = argv[i];
    if (argument.compare(0, flag.size(), flag) != 0) {
      argv[kept++] = argv[i];
      continue;
    }
    char* end = nullptr;
    window_seconds = std::strtod(argv[i] + flag.size(), &end);
    if (*end != '\0' || !(window_seconds > 0)) return false;
  }
  *argc = kept;
  return true;
}

}  // namespace

const std::vector<size_t> kUnaryBytes = {0,        64,      4 << 10,
                                         64 << 10, 1 << 20, 16 << 20};
const std::vector<size_t> kStreamBytes = {64, 4 << 10, 64 << 10, 1 << 20};
const std::vector<int> kCrowds = {1, 8, 64};

void RegisterLoop(const std::string& scenario, const std::string& peer,
                  size_t bytes, size_t bytes_per_iteration,
                  const LoopBody& body) {
  benchmark::RegisterBenchmark(
      Name(scenario, peer, std::to_string(bytes)).c_str(),
      [=](benchmark::State& state) {
        body(state, bytes);
        if (bytes_per_iteration == 0) return;
        state.SetBytesProcessed(bytes_per_iteration * state.iterations());
      })
      // A call's work is in two processes: only the wall clock sees it.
      ->UseRealTime();
}

void RegisterUnaryEcho(const std::string& peer, size_t bytes,
                       const LoopBody& body) {
  RegisterLoop("unary_echo", peer, bytes, 2 * bytes, body);
}

void RegisterUnaryEcho(const std::string& peer, const LoopBody& body) {
  for (size_t bytes : kUnaryBytes) RegisterUnaryEcho(peer, bytes, body);
}

void RegisterStreamPingPong(const std::string& peer, const LoopBody& body) {
  for (size_t bytes : kStreamBytes) {
    RegisterLoop("stream_ping_pong", peer, bytes, 2 * bytes, body);
  }
}

void RegisterWindow(const std::string& scenario, const std::string& peer,
                    const std::string& argument, size_t bytes_each,
                    const WindowBody& body) {
  benchmark::RegisterBenchmark(
      Name(scenario, peer, argument).c_str(),
      [=](benchmark::State& state) {
        const Window window = body(state);
        if (window.count == 0) {
          if (!state.error_occurred()) Fail(state, "nothing was measured");
          return;
        }
        const double each_s = window.seconds / window.count;
        for (auto _ : state) state.SetIterationTime(each_s);
        state.counters["count"] = static_cast<double>(window.count);
        state.counters["per_second"] = 1 / each_s;
        if (bytes_each > 0) {
          state.counters["bytes_per_second"] = bytes_each / each_s;
        }
      })
      ->Iterations(1)
      ->UseManualTime();
}

double WindowSeconds() { return window_seconds; }

Window MeasureAsleep(benchmark::State& state,
                     const std::function<bool()>& call) {
  // What the first calls make lazily is not what is measured.
  for (int n = 0; n < 8; ++n) {
    if (!call()) return {};
  }
  std::vector<double> seconds;
  const size_t count = std::max<size_t>(
      3, static_cast<size_t>(
             WindowSeconds() /
             std::chrono::duration<double>(kAsleepPeriod).count()));
  auto due = Clock::now();
  while (seconds.size() < count) {
    // From now on, if a call took longer than a period: never two in a row.
    due = std::max(due, Clock::now()) + kAsleepPeriod;
    std::this_thread::sleep_until(due);
    const auto start = Clock::now();
    if (!call()) return {};
    seconds.push_back(
        std::chrono::duration<double>(Clock::now() - start).count());
  }
  Window window;
  for (double s : seconds) window.seconds += s;
  window.count = count;
  std::sort(seconds.begin(), seconds.end());
  state.counters["p50_ns"] = 1e9 * seconds[count / 2];
  state.counters["p99_ns"] = 1e9 * seconds[count * 99 / 100];
  return window;
}

std::string Payload(size_t bytes) {
  std::string payload(bytes, '\0');
  uint32_t x = 2463534242u;
  for (char& c : payload) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;  // xorshift32
    c = static_cast<char>(x >> 24);
  }
  return payload;
}

bool WarmUp(const std::function<bool()>& call) {
  const auto end = Clock::now() + std::chrono::milliseconds(50);
  for (int n = 0; n < 8 || Clock::now() < end; ++n) {
    if (!call()) return false;
  }
  return true;
}

void Fail(benchmark::State& state, const std::string& reason) {
  any_failed = true;
  std::fprintf(stderr, "benchmark failed: %s\n", reason.c_str());
  state.SkipWithError(reason.c_str());
}

int RunBenchmarks(int argc, char** argv) {
  if (!TakeWindow(&argc, argv)) {
    std::fprintf(stderr, "--window_s wants a number of seconds\n");
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const size_t run = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return run == 0 || any_failed ? 1 : 0;
}

}  // namespace bench
}  // namespace shmrpc
