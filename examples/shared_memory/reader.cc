// Takes numbers out of shared memory, where writer puts them, and adds them up.
//
//   reader [NAME]        default: numbers
//
// Start it before or after the writer. It ends with the last number, or when
// none has come for ten seconds.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include "examples/shared_memory/number_ring.h"
#include "shmrpc/shared_memory.h"

namespace {

// Waits until more than `taken` numbers have been written.
absl::Status WaitForData(const shmrpc::MemoryView& ring,
                         const shmrpc::NamedEvent& data, uint64_t taken) {
  while (true) {
    absl::StatusOr<uint64_t> written = ring.Load<uint64_t>(kWrittenOffset);
    if (!written.ok()) return written.status();
    if (*written > taken) return absl::OkStatus();
    absl::Status status = data.Wait(std::chrono::seconds(10));
    if (!status.ok()) return status;
  }
}

absl::Status Run(const std::string& name) {
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
  std::cout << "reading from " << memory->name() << std::endl;

  // Goes on where an earlier reader ended, if the writer has kept the ring.
  absl::StatusOr<uint64_t> before = ring->Load<uint64_t>(kTakenOffset);
  if (!before.ok()) return before.status();
  uint64_t taken = *before;
  int64_t count = 0;
  int64_t sum = 0;
  while (true) {
    absl::Status status = WaitForData(*ring, *data, taken);
    if (!status.ok()) return status;
    absl::StatusOr<int64_t> number = ring->Read<int64_t>(SlotOffset(taken));
    if (!number.ok()) return number.status();
    // Only now the writer may use the slot again.
    status = ring->Store<uint64_t>(kTakenOffset, ++taken);
    if (!status.ok()) return status;
    status = space->Signal();
    if (!status.ok()) return status;
    if (*number == kEnd) {
      std::cout << "read " << count << " numbers, sum " << sum << std::endl;
      return absl::OkStatus();
    }
    ++count;
    sum += *number;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Run(argc > 1 ? argv[1] : "numbers");
  if (!status.ok()) {
    std::cout << "reader: " << status << std::endl;
    return 1;
  }
  return 0;
}
