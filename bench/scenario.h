// The benchmark's names, payloads and warm-up, the same for every peer.
//
//   RegisterUnaryEcho("grpc_unix", [](benchmark::State& state, size_t bytes) {
//     const std::string payload = Payload(bytes);
//     ... connect ...
//     WarmUp([&] { return Call(payload); });
//     for (auto _ : state) { ... one call ... }
//   });
//   return RunBenchmarks(argc, argv);
//
// A name is scenario/peer/arguments: unary_echo/grpc_unix/64. Another scenario
// is another Register function here; the driver needs no change for it.
//
// Failures: a body that cannot measure calls Fail and returns; the program then
// ends with a non-zero exit code (Google Benchmark alone would end with 0).

#ifndef SHMRPC_BENCH_SCENARIO_H_
#define SHMRPC_BENCH_SCENARIO_H_

#include <cstddef>
#include <functional>
#include <string>

#include "benchmark/benchmark.h"

namespace shmrpc {
namespace bench {

// Whether each call gets message objects of its own, or all share one request
// and one response, whose strings then keep their memory.
enum class Messages { kFresh, kReused };

using Body = std::function<void(benchmark::State& state, size_t bytes)>;

// unary_echo/<peer>/<bytes> for 0, 64 B, 4 KiB, 64 KiB, 1 MiB and 16 MiB.
void RegisterUnaryEcho(const std::string& peer, const Body& body);

// One name, for a peer whose work does not depend on a payload.
void RegisterUnaryEcho(const std::string& peer, size_t bytes, const Body& body);

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
