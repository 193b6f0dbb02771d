// Floor: a process wakes another one, which wakes it in turn.
//
// Both sleep on a futex word in shared memory, at once: nobody spins. No data:
// what the kernel's scheduler costs for a round trip between two sleepers, and
// no call between sleeping processes can be faster.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "bench/floors/floors.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

constexpr uint32_t kEnd = ~uint32_t{0};

// Counts exchanges; never so many that it would reach kEnd.
class alignas(64) Word {
 public:
  void Set(uint32_t value) {
    value_.store(value, std::memory_order_release);
    syscall(SYS_futex, &value_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }

  // False if the other side ended instead.
  bool Wait(uint32_t value) {
    uint32_t seen;
    while ((seen = value_.load(std::memory_order_acquire)) != value) {
      if (seen == kEnd) return false;
      syscall(SYS_futex, &value_, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
    return true;
  }

 private:
  std::atomic<uint32_t> value_;
};

struct Words {
  Word ping;
  Word pong;
};

class Sleepers {
 public:
  Sleepers()
      : peer_(sizeof(Words), [](void* memory) {
          Words* words = static_cast<Words*>(memory);
          for (uint32_t n = 1; words->ping.Wait(n); ++n) words->pong.Set(n);
        }) {}
  ~Sleepers() {
    if (peer_.ok()) words()->ping.Set(kEnd);
  }

  bool ok() const { return peer_.ok(); }
  const std::string& error() const { return peer_.error(); }

  bool RoundTrip() {
    words()->ping.Set(++count_);
    return words()->pong.Wait(count_);
  }

 private:
  Words* words() { return static_cast<Words*>(peer_.memory()); }

  uint32_t count_ = 0;
  TwoProcesses peer_;
};

}  // namespace

void RegisterWakeFloor() {
  RegisterUnaryEcho("floor_wake", 64, [](benchmark::State& state, size_t) {
    Sleepers sleepers;
    if (!sleepers.ok()) return Fail(state, sleepers.error());
    WarmUp([&] { return sleepers.RoundTrip(); });
    for (auto _ : state) sleepers.RoundTrip();
  });
  RegisterWindow("asleep_echo", "floor_wake", "", 0,
                 [](benchmark::State& state) -> Window {
                   Sleepers sleepers;
                   if (!sleepers.ok()) {
                     Fail(state, sleepers.error());
                     return {};
                   }
                   return MeasureAsleep(state,
                                        [&] { return sleepers.RoundTrip(); });
                 });
}

}  // namespace bench
}  // namespace shmrpc
