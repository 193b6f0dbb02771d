// Floor: one cache line goes to another process and comes back.
//
// Two processes spin on one counter in shared memory. This one makes it odd,
// the other makes it even. No data, no protobuf, no call of any function: what
// the machine's cache coherence costs for a round trip, and no exchange between
// two spinning processes can be faster. (With a pause in the spin: without, the
// waiting core takes the line away from the writing one and the round trip is
// longer.)

#include <immintrin.h>

#include <atomic>
#include <cstdint>

#include "bench/floors/floors.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

struct alignas(64) Line {
  std::atomic<uint64_t> turn;  // odd: the child's, even: the parent's
};

constexpr uint64_t kEnd = ~uint64_t{0};

void Serve(void* memory) {
  Line* line = static_cast<Line*>(memory);
  for (uint64_t expected = 1;; expected += 2) {
    uint64_t turn;
    // Acquire and release: what a user of the line would need for its payload.
    while ((turn = line->turn.load(std::memory_order_acquire)) != expected) {
      if (turn == kEnd) return;
      _mm_pause();
    }
    line->turn.store(expected + 1, std::memory_order_release);
  }
}

void Measure(benchmark::State& state, size_t) {
  TwoProcesses peer(sizeof(Line), Serve);
  if (!peer.ok()) return Fail(state, peer.error());
  Line* line = static_cast<Line*>(peer.memory());
  uint64_t turn = 0;
  const auto round_trip = [&] {
    line->turn.store(turn + 1, std::memory_order_release);
    turn += 2;
    while (line->turn.load(std::memory_order_acquire) != turn) {
      _mm_pause();
    }
    return true;
  };
  WarmUp(round_trip);
  for (auto _ : state) round_trip();
  line->turn.store(kEnd, std::memory_order_release);
}

}  // namespace

void RegisterCachelineFloor() {
  RegisterUnaryEcho("floor_cacheline", sizeof(Line), Measure);
}

}  // namespace bench
}  // namespace shmrpc
