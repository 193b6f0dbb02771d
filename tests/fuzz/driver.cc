// Where there is no libFuzzer: inputs from a seed, through the same mutator.
//
//   link_fuzz_test -runs=5000 -seed=1     as libFuzzer takes them
//
// Without -seed: SHMRPC_TEST_SEED, or a new one. Printed first.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "transport/platform/random.h"
#include "transport/platform/testing/watchdog.h"

namespace {

// The number behind `name` among the arguments.
bool Argument(int argc, char** argv, const char* name, uint64_t* value) {
  const size_t length = std::strlen(name);
  bool found = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], name, length) != 0) continue;
    *value = std::strtoull(argv[i] + length, nullptr, 10);
    found = true;
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr size_t kMaxBytes = 4096;
  constexpr size_t kKept = 64;
  constexpr int kHangSeconds = 120;
  uint64_t runs = 1000;
  Argument(argc, argv, "-runs=", &runs);
  uint64_t seed = 0;
  if (!Argument(argc, argv, "-seed=", &seed)) {
    const char* text = std::getenv("SHMRPC_TEST_SEED");
    seed = text != nullptr ? std::strtoull(text, nullptr, 10)
                           : shmrpc::platform::RandomBits() >> 32;
  }
  std::printf("-seed=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::mt19937_64 random(seed);
  std::vector<std::vector<uint8_t>> kept(kKept);
  for (uint64_t run = 0; run < runs;) {
    shmrpc::testing::Watchdog dog(kHangSeconds, "a thousand inputs");
    for (int i = 0; i < 1000 && run < runs; ++i, ++run) {
      std::vector<uint8_t>& input = kept[random() % kKept];
      const size_t size = input.size();
      input.resize(kMaxBytes);
      input.resize(LLVMFuzzerCustomMutator(input.data(), size, kMaxBytes,
                                           static_cast<unsigned>(random())));
      LLVMFuzzerTestOneInput(input.data(), input.size());
    }
  }
  return 0;
}
