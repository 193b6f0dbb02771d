// Judges whether what a process takes stayed flat, from what it took each time
// everything rested.
//
//   Flatness server("the server", limits);
//   server.Add(second, consumption);  // the first is the baseline
//   for (const std::string& what : server.Complaints()) ADD_FAILURE() << what;
//
// Its footprint (tests/support/footprint.h) comes back to the baseline exactly.
// Threads are counted, not judged: a server keeps some for ten seconds. Memory
// may differ by a slack, which is what an allocator's pools and a few cached
// objects explain; a leak shows as growth from one end of the run to the other,
// and as the slope of the line through all samples, even if the ends happen to
// hide it.
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TESTS_SOAK_FLATNESS_H_
#define SHMRPC_TESTS_SOAK_FLATNESS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/soak/consumption.h"

namespace shmrpc {
namespace testing {

// 0: not judged.
struct FlatnessLimits {
  int64_t heap_slack_bytes = 0;
  int64_t private_slack_bytes = 0;
};

class Flatness {
 public:
  Flatness(std::string whose, const FlatnessLimits& limits)
      : whose_(std::move(whose)), limits_(limits) {}

  // True if nothing is held that was not held at the baseline.
  // Before there is one: true.
  bool IsBack(const Footprint& footprint) const;

  void Add(double second, const Consumption& consumption);

  std::vector<std::string> Complaints() const;
  // First and last sample, growth, slopes.
  std::string Report() const;

 private:
  struct Sample {
    double second;
    Consumption consumption;
  };
  // Of the line with the least squares of distances, bytes per second.
  double Slope(int64_t Consumption::*bytes) const;
  // "" if `bytes` grew by no more than `slack`.
  std::string Growth(const char* name, int64_t Consumption::*bytes,
                     int64_t slack) const;

  const std::string whose_;
  const FlatnessLimits limits_;
  std::vector<Sample> samples_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_FLATNESS_H_
