#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace shmrpc {
namespace testing {
namespace {

// Relaxed: a number and nothing else.
std::atomic<uint64_t> mutations{0};
std::atomic<uint64_t> inputs{0};

void PrintCounts() {
  std::printf(
      "%llu mutations in %llu inputs\n",
      static_cast<unsigned long long>(MutationsSoFar()),
      static_cast<unsigned long long>(inputs.load(std::memory_order_relaxed)));
  std::fflush(stdout);
}

}  // namespace

uint64_t FuzzInput::Number() {
  const uint8_t kind = Byte();
  switch (kind % 8) {
    case 0:
    case 1:
    case 2:
      return Below(64);
    case 3:
    case 4:
      return Below(512) * uint64_t{8};
    case 5:  // around a power of two
      return (uint64_t{1} << Below(64)) + Below(3) - 1;
    case 6:
      return Below(65536);
    default:
      return Word();
  }
}

void FuzzCheck(bool ok, const std::string& what) {
  if (ok) return;
  std::fprintf(stderr, "fuzz target: %s\n", what.c_str());
  std::abort();
}

void CountMutations(uint64_t count) {
  mutations.fetch_add(count, std::memory_order_relaxed);
}

uint64_t MutationsSoFar() { return mutations.load(std::memory_order_relaxed); }

}  // namespace testing
}  // namespace shmrpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shmrpc::testing;
  static const bool registered = std::atexit(PrintCounts) == 0;
  FuzzCheck(registered, "atexit failed");
  inputs.fetch_add(1, std::memory_order_relaxed);
  FuzzInput input(data, size);
  FuzzOne(&input);
  return 0;
}

// libFuzzer grows inputs from nothing byte by byte. A program is of use from
// some length on, so half of the inputs are new ones, the others are known ones
// with a few bytes changed, added or taken away.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned int seed) {
  std::minstd_rand random(seed);
  if (size < 64 || random() % 2 == 0) {
    size = std::min<size_t>(max_size, 64 + random() % 960);
    for (size_t i = 0; i < size; ++i) {
      data[i] = static_cast<uint8_t>(random() >> 8);
    }
    return size;
  }
  for (unsigned i = 1 + random() % 8; i > 0; --i) {
    const size_t at = random() % size;
    switch (random() % 4) {
      case 0:
        data[at] = static_cast<uint8_t>(random() >> 8);
        break;
      case 1:
        data[at] = static_cast<uint8_t>(data[at] + 1 - random() % 3);
        break;
      case 2:  // one byte in, or repeated
        if (size == max_size) break;
        std::copy_backward(data + at, data + size, data + size + 1);
        ++size;
        break;
      case 3:
        if (size <= 64) break;
        std::copy(data + at + 1, data + size, data + at);
        --size;
        break;
    }
  }
  return size;
}
