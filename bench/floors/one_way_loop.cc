// Floor: the loop one would write by hand to send protobuf messages to another
// process as fast as it can read them.
//
// This process serializes the same message again and again, straight into the
// slots of a ring; the other one parses each straight out of its slot into one
// message that it keeps, whose string thereby keeps its memory. A slot's own
// sequence number says that it is filled; how far the reader is, it says every
// quarter ring, which is all the flow control there is.

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "bench/bench_echo.pb.h"
#include "bench/floors/floors.h"
#include "bench/floors/slot.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

struct alignas(64) Reader {
  std::atomic<uint64_t> consumed;  // messages parsed; their slots are free
  std::atomic<uint32_t> failed;    // 1: one did not parse, or was not whole
};

class Ring {
 public:
  // Small rings stay in a core's cache; large messages need a few slots to
  // have both sides busy.
  explicit Ring(size_t payload_bytes)
      : stride_bytes_((payload_bytes + Slot::kOverheadBytes + 63) / 64 * 64),
        slots_(std::clamp<uint64_t>((256 << 10) / stride_bytes_, 4, 1024)) {}

  size_t size_bytes() const { return kFirstSlot + slots_ * stride_bytes_; }
  void set_memory(void* memory) { memory_ = static_cast<char*>(memory); }

  // Message 1 is the first. Returns when there was room and it is published.
  void Send(uint64_t number, const EchoMessage& message) {
    AwaitRoom(number);
    slot(number)->Send(number, message);
  }

  void End(uint64_t number) {
    AwaitRoom(number);
    slot(number)->End();
  }

  void AwaitConsumed(uint64_t number) {
    while (reader()->consumed.load(std::memory_order_acquire) < number) {
      _mm_pause();
    }
  }

  // Until the writer ends.
  void Read(size_t payload_bytes) {
    EchoMessage message;
    const uint64_t quarter = std::max<uint64_t>(slots_ / 4, 1);
    uint64_t number = 1;
    for (; slot(number)->Wait(number); ++number) {
      if (!slot(number)->Receive(&message) ||
          message.payload().size() != payload_bytes) {
        reader()->failed.store(1, std::memory_order_relaxed);
      }
      // Release: the slots were read before they are free.
      if (number % quarter == 0) {
        reader()->consumed.store(number, std::memory_order_release);
      }
    }
    // Also orders `failed` before the count that the writer awaits.
    reader()->consumed.store(number, std::memory_order_release);
  }

  bool failed() {
    return reader()->failed.load(std::memory_order_relaxed) != 0;
  }

 private:
  static constexpr size_t kFirstSlot = 4096;

  void AwaitRoom(uint64_t number) {
    while (number > known_consumed_ + slots_) {
      known_consumed_ = reader()->consumed.load(std::memory_order_acquire);
      if (number > known_consumed_ + slots_) _mm_pause();
    }
  }

  Reader* reader() { return reinterpret_cast<Reader*>(memory_); }
  Slot* slot(uint64_t number) {
    return reinterpret_cast<Slot*>(memory_ + kFirstSlot +
                                   number % slots_ * stride_bytes_);
  }

  const size_t stride_bytes_;
  const uint64_t slots_;
  char* memory_ = nullptr;
  uint64_t known_consumed_ = 0;  // by the writer
};

Window Measure(benchmark::State& state, size_t bytes) {
  using Clock = std::chrono::steady_clock;
  Ring ring(bytes);
  TwoProcesses peer(ring.size_bytes(), [ring, bytes](void* memory) mutable {
    ring.set_memory(memory);
    ring.Read(bytes);
  });
  if (!peer.ok()) {
    Fail(state, peer.error());
    return {};
  }
  ring.set_memory(peer.memory());
  EchoMessage message;
  message.set_payload(Payload(bytes));
  uint64_t number = 0;
  WarmUp([&] { return ring.Send(++number, message), true; });

  Window window;
  const auto start = Clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  // A look at the clock costs as much as a small message.
  const int batch = bytes < 4096 ? 64 : 1;
  do {
    for (int i = 0; i < batch; ++i, ++window.count) {
      ring.Send(++number, message);
    }
  } while (elapsed_s() < WindowSeconds());
  ring.End(number + 1);
  ring.AwaitConsumed(number + 1);
  window.seconds = elapsed_s();
  if (ring.failed()) {
    Fail(state, "the reader has seen other messages than were written");
    return {};
  }
  return window;
}

}  // namespace

void RegisterOneWayFloor() {
  for (size_t bytes : kStreamBytes) {
    RegisterWindow(
        "stream_one_way", "floor_protobuf_reused", std::to_string(bytes), bytes,
        [=](benchmark::State& state) { return Measure(state, bytes); });
  }
}

}  // namespace bench
}  // namespace shmrpc
