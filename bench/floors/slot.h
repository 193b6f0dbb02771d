// Room for one protobuf message in shared memory, with its own flag.
//
// A sequence number, which is the flag, directly followed by the size and the
// bytes, so that a small message moves in as few cache lines as can be. Written
// by its sending process only; who may overwrite it when, its users settle.

#ifndef SHMRPC_BENCH_FLOORS_SLOT_H_
#define SHMRPC_BENCH_FLOORS_SLOT_H_

#include <immintrin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bench/bench_echo.pb.h"

namespace shmrpc {
namespace bench {

struct alignas(64) Slot {
  static constexpr uint64_t kEnd = ~uint64_t{0};
  // Before the message: sequence and size; in it: field tag and length.
  static constexpr size_t kOverheadBytes = 32;

  std::atomic<uint64_t> sequence;  // of the message in the slot; 0: none yet
  uint64_t size_bytes;

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this) + 16; }

  void Send(uint64_t number, const EchoMessage& message) {
    size_bytes = message.ByteSizeLong();
    message.SerializeWithCachedSizesToArray(bytes());
    // Orders the bytes before the number that announces them.
    sequence.store(number, std::memory_order_release);
  }

  void End() { sequence.store(kEnd, std::memory_order_release); }

  // Acquire: the bytes are read after the number.
  uint64_t Seen() const { return sequence.load(std::memory_order_acquire); }

  // False if the other side ended instead.
  bool Wait(uint64_t number) const {
    uint64_t seen;
    while ((seen = Seen()) != number) {
      if (seen == kEnd) return false;
      _mm_pause();
    }
    return true;
  }

  bool Receive(EchoMessage* message) {
    return message->ParseFromArray(bytes(), static_cast<int>(size_bytes));
  }
};

// To the next page, so that the two slots do not share a line with each other,
// or a prefetcher's pair of lines.
inline size_t SlotBytes(size_t payload_bytes) {
  return (payload_bytes + Slot::kOverheadBytes + 4095) / 4096 * 4096;
}

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_FLOORS_SLOT_H_
