// Floor: the payload is copied to another buffer and back, in one process.
//
// No second process, no message: the memory bandwidth that an echo of large
// payloads cannot beat unless it copies less.

#include <cstring>
#include <string>

#include "bench/floors/floors.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

void Measure(benchmark::State& state, size_t bytes) {
  std::string here = Payload(bytes);
  std::string there(bytes, '\0');
  const auto copy = [&] {
    std::memcpy(&there[0], here.data(), bytes);
    benchmark::ClobberMemory();  // or the compiler would drop the copies
    std::memcpy(&here[0], there.data(), bytes);
    benchmark::ClobberMemory();
    return true;
  };
  benchmark::DoNotOptimize(&here[0]);
  benchmark::DoNotOptimize(&there[0]);
  WarmUp(copy);
  for (auto _ : state) copy();
}

}  // namespace

void RegisterMemcpyFloor() { RegisterUnaryEcho("memcpy", Measure); }

}  // namespace bench
}  // namespace shmrpc
