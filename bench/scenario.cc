#include "bench/scenario.h"

#include <chrono>
#include <cstdio>

namespace shmrpc {
namespace bench {
namespace {

constexpr size_t kUnaryEchoBytes[] = {0,        64,      4 << 10,
                                      64 << 10, 1 << 20, 16 << 20};

// Benchmarks run on the main thread only.
bool any_failed = false;

}  // namespace

void RegisterUnaryEcho(const std::string& peer, const Body& body) {
  for (size_t bytes : kUnaryEchoBytes) RegisterUnaryEcho(peer, bytes, body);
}

void RegisterUnaryEcho(const std::string& peer, size_t bytes,
                       const Body& body) {
  const std::string name = "unary_echo/" + peer + "/" + std::to_string(bytes);
  benchmark::RegisterBenchmark(
      name.c_str(),
      [body, bytes](benchmark::State& state) {
        body(state, bytes);
        // There and back.
        if (bytes > 0) state.SetBytesProcessed(2 * bytes * state.iterations());
      })
      // A call's work is in two processes: only the wall clock sees it.
      ->UseRealTime();
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
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  for (int n = 0; n < 8 || std::chrono::steady_clock::now() < end; ++n) {
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
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const size_t run = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return run == 0 || any_failed ? 1 : 0;
}

}  // namespace bench
}  // namespace shmrpc
