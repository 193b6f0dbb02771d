// The benchmark's names, payloads and warm-up, the same for every peer.
//
//   RegisterLoop("unary_echo", "grpc_unix", 64,
//                [](benchmark::State& state, size_t bytes) {
//     const std::string payload = Payload(bytes);
//     ... connect ...
//     WarmUp([&] { return Call(payload); });
//     for (auto _ : state) { ... one call ... }
//   });
//   RegisterWindow("many_clients", "grpc_unix", "64",
//                  [](benchmark::State& state) -> Window {
//     ... calls for WindowSeconds() ...
//     return {elapsed_s, calls};
//   });
//   return RunBenchmarks(argc, argv);
//
// A name is scenario/peer/argument: unary_echo/grpc_unix/64; asleep_echo/pipe
// has no argument. A loop lets Google Benchmark decide how often it runs. A
// window decides itself what it does in a span of time: several clients, pauses
// that are not part of what is measured. Its reported time is its elapsed time
// divided by its count, so that either kind says what one call takes.
//
// Failures: a body that cannot measure calls Fail and returns; the program then
// ends with a non-zero exit code (Google Benchmark alone would end with 0).

#ifndef SHMRPC_BENCH_SCENARIO_H_
#define SHMRPC_BENCH_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"

namespace shmrpc {
namespace bench {

// Whether each call gets message objects of its own, or all share one request
// and one response, whose strings then keep their memory.
enum class Messages { kFresh, kReused };

// 0, 64 B, 4 KiB, 64 KiB, 1 MiB and 16 MiB; the same from 64 B to 1 MiB.
extern const std::vector<size_t> kUnaryBytes;
extern const std::vector<size_t> kStreamBytes;
// How many threads or clients: 1, 8, 64.
extern const std::vector<int> kCrowds;

using LoopBody = std::function<void(benchmark::State& state, size_t bytes)>;

// scenario/peer/bytes, measured by the wall clock. `bytes_per_iteration`: how
// much payload moves in one, for the throughput.
void RegisterLoop(const std::string& scenario, const std::string& peer,
                  size_t bytes, size_t bytes_per_iteration,
                  const LoopBody& body);

// unary_echo/<peer>/<bytes> and stream_ping_pong/<peer>/<bytes>: one iteration
// is one payload there and back.
void RegisterUnaryEcho(const std::string& peer, size_t bytes,
                       const LoopBody& body);
void RegisterUnaryEcho(const std::string& peer, const LoopBody& body);
void RegisterStreamPingPong(const std::string& peer, const LoopBody& body);

// What came of a window. A count of 0 says that it failed.
struct Window {
  double seconds = 0;
  uint64_t count = 0;
};

using WindowBody = std::function<Window(benchmark::State& state)>;

// scenario/peer/argument, or scenario/peer if the argument is empty.
// `bytes_each`: of payload, per call or message; 0 if that is beside the point.
void RegisterWindow(const std::string& scenario, const std::string& peer,
                    const std::string& argument, size_t bytes_each,
                    const WindowBody& body);

// How long a window should be: --window_s=SECONDS, or 1.
double WindowSeconds();

// asleep_echo: `call` once per 10 ms for the window. Only the calls' own time
// counts, and the counters p50_ns and p99_ns say how it is spread.
Window MeasureAsleep(benchmark::State& state,
                     const std::function<bool()>& call);

// `bytes` bytes that are neither constant nor valid UTF-8.
std::string Payload(size_t bytes);

// Calls `call` for a twentieth of a second, and at least eight times: caches,
// allocators, branch predictors, lazily made connections and segments. Stops
// early, and returns false, when `call` does.
bool WarmUp(const std::function<bool()>& call);

// Ends this benchmark with an error, and later the program with exit code 1.
void Fail(benchmark::State& state, const std::string& reason);

// Runs what the command line's --benchmark_filter selects. The exit code: 0, or
// 1 if a benchmark failed, the filter selects nothing, or an argument is
// unknown.
int RunBenchmarks(int argc, char** argv);

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_SCENARIO_H_
