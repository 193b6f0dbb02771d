// The memory that writer and reader share: 64 slots for numbers, and two
// counters that say which of them are full. All of it is zero at first, which
// is an empty ring, so either program may come first.
//
//   0        written   [writer] how many numbers it has put in so far
//   64       taken     [reader] how many it has taken out
//   128      slots     [writer] number i stands in slot i % 64
//
// The counters are a cache line apart, so that the two do not slow each other
// down. Numbers are fixed-width: a 32-bit and a 64-bit program may share this.

#ifndef SHMRPC_EXAMPLES_SHARED_MEMORY_NUMBER_RING_H_
#define SHMRPC_EXAMPLES_SHARED_MEMORY_NUMBER_RING_H_

#include <cstdint>

constexpr uint64_t kWrittenOffset = 0;
constexpr uint64_t kTakenOffset = 64;
constexpr uint64_t kSlotsOffset = 128;
constexpr uint64_t kSlots = 64;
constexpr uint64_t kRingBytes = kSlotsOffset + kSlots * sizeof(int64_t);

// What ends the row of numbers.
constexpr int64_t kEnd = -1;

constexpr uint64_t SlotOffset(uint64_t i) {
  return kSlotsOffset + i % kSlots * sizeof(int64_t);
}

#endif  // SHMRPC_EXAMPLES_SHARED_MEMORY_NUMBER_RING_H_
