// The seed of a random test: from the environment (SHMRPC_TEST_SEED) to repeat
// a failure, otherwise a new one. Printed with every failure while it exists.
//
//   TestSeed seed;
//   std::mt19937_64 random(seed.value());

#ifndef SHMRPC_TRANSPORT_MEMORY_TESTING_SEED_H_
#define SHMRPC_TRANSPORT_MEMORY_TESTING_SEED_H_

#include <cstdint>
#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "transport/platform/random.h"

namespace shmrpc {
namespace testing {

class TestSeed {
 public:
  TestSeed()
      : value_(Choose()),
        trace_(__FILE__, __LINE__,
               "SHMRPC_TEST_SEED=" + std::to_string(value_)) {}

  uint64_t value() const { return value_; }

 private:
  static uint64_t Choose() {
    const char* text = std::getenv("SHMRPC_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 10)
                           : platform::RandomBits();
  }

  const uint64_t value_;
  const ::testing::ScopedTrace trace_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_TESTING_SEED_H_
