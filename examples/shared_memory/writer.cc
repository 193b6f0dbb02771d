// Puts the square numbers into shared memory, for reader.
//
//   writer [NAME [COUNT]]        default: numbers 1000
//
// Start it before or after the reader, in another terminal. It ends when the
// reader has taken the last number, or has taken none for ten seconds.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "examples/shared_memory/number_ring.h"
#include "shmrpc/shared_memory.h"

namespace {

// Waits until fewer than `most` numbers are in the ring.
absl::Status WaitForSpace(const shmrpc::MemoryView& ring,
                          const shmrpc::NamedEvent& space, uint64_t written,
                          uint64_t most) {
  while (true) {
    // The state stands in the memory; the event only says "look again".
    absl::StatusOr<uint64_t> taken = ring.Load<uint64_t>(kTakenOffset);
    if (!taken.ok()) return taken.status();
    if (written - *taken < most) return absl::OkStatus();
    absl::Status status = space.Wait(std::chrono::seconds(10));
    if (!status.ok()) return status;
  }
}

absl::Status Run(const std::string& name, int64_t count) {
  absl::StatusOr<shmrpc::SharedMemory> memory =
      shmrpc::SharedMemory::CreateOrOpen(name, kRingBytes);
  if (!memory.ok()) return memory.status();
  absl::StatusOr<shmrpc::MemoryView> ring = memory->Map();
  if (!ring.ok()) return ring.status();
  absl::StatusOr<shmrpc::NamedEvent> data =
      shmrpc::NamedEvent::CreateOrOpen(name + ".data");
  if (!data.ok()) return data.status();
  absl::StatusOr<shmrpc::NamedEvent> space =
      shmrpc::NamedEvent::CreateOrOpen(name + ".space");
  if (!space.ok()) return space.status();
  std::cout << "writing to " << memory->name() << std::endl;

  // Goes on where an earlier writer ended, if a reader has kept the ring.
  absl::StatusOr<uint64_t> before = ring->Load<uint64_t>(kWrittenOffset);
  if (!before.ok()) return before.status();
  uint64_t written = *before;
  for (int64_t i = 0; i <= count; ++i) {
    absl::Status status = WaitForSpace(*ring, *space, written, kSlots);
    if (!status.ok()) return status;
    // First the number, then the counter: who sees the counter (an atomic
    // Store) sees the number.
    status =
        ring->Write<int64_t>(SlotOffset(written), i < count ? i * i : kEnd);
    if (!status.ok()) return status;
    status = ring->Store<uint64_t>(kWrittenOffset, ++written);
    if (!status.ok()) return status;
    status = data->Signal();
    if (!status.ok()) return status;
  }
  // The memory goes with the last process that holds it: stay until all is
  // taken.
  return WaitForSpace(*ring, *space, written, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "numbers";
  const int64_t count = argc > 2 ? std::atoll(argv[2]) : 1000;
  const absl::Status status = Run(name, count);
  if (!status.ok()) {
    std::cout << "writer: " << status << std::endl;
    return 1;
  }
  std::cout << "wrote " << count << " numbers" << std::endl;
  return 0;
}
