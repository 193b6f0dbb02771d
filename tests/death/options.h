// How long a test of death is to be, and what it prints.
//
//   const uint32_t seed = SeedOfThisRun();              // SHMRPC_TEST_SEED
//   const int rounds = NumberFrom("SHMRPC_TEST_ROUNDS", 100);
//   Latencies latencies;  ...  latencies.Add(ns);  ...  latencies.Print("x");
//
// Thread rule: one thread.

#ifndef SHMRPC_TESTS_DEATH_OPTIONS_H_
#define SHMRPC_TESTS_DEATH_OPTIONS_H_

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace shmrpc {
namespace testing {

inline uint32_t NumberFrom(const char* variable, uint32_t otherwise) {
  const char* given = std::getenv(variable);
  return given == nullptr
             ? otherwise
             : static_cast<uint32_t>(std::strtoul(given, nullptr, 0));
}

// Of SHMRPC_TEST_SEED or by chance; printed.
inline uint32_t SeedOfThisRun() {
  const uint32_t seed = NumberFrom("SHMRPC_TEST_SEED", std::random_device()());
  std::printf("seed %u (repeat with SHMRPC_TEST_SEED)\n", seed);
  std::fflush(stdout);
  return seed;
}

// For percentiles to report, never to assert.
class Latencies {
 public:
  void Add(int64_t ns) { ns_.push_back(ns); }
  void Print(const char* what) {
    if (ns_.empty()) return;
    std::sort(ns_.begin(), ns_.end());
    const auto ms = [&](double part) {
      return 1e-6 * static_cast<double>(
                        ns_[static_cast<size_t>(part * (ns_.size() - 1))]);
    };
    std::printf("%s: %zu times, p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", what,
                ns_.size(), ms(0.5), ms(0.99), ms(1));
    std::fflush(stdout);
  }

 private:
  std::vector<int64_t> ns_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_OPTIONS_H_
