// A fuzz target: bytes in, an abort if what they lead to must not be.
//
//   void shmrpc::testing::FuzzOne(FuzzInput* input) {
//     switch (input->Below(3)) { ... }
//     FuzzCheck(ok, "the frame lies outside of its view");
//   }
//   // BUILD: fuzz_test(name = "x_fuzz_test", ...), see defs.bzl
//
// The bytes are a program that the target interprets, so that most of them lead
// somewhere. libFuzzer makes them where the build has it (--config=asan-ubsan);
// elsewhere driver.cc does, from a seed.
//
// Every value that is changed in memory which the victim reads is counted by
// CountMutations, and the sum printed at the end.
//
// Thread rule: CountMutations any, the rest one thread. Failures: abort, which
// libFuzzer reports with the input and the driver with the seed.

#ifndef SHMRPC_TESTS_FUZZ_FUZZ_H_
#define SHMRPC_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace shmrpc {
namespace testing {

// Reads zeros when it is used up.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  bool empty() const { return at_ == end_; }
  uint8_t Byte() { return empty() ? 0 : *at_++; }
  uint64_t Word() {
    uint64_t word = 0;
    for (int i = 0; i < 8; ++i) word = word << 8 | Byte();
    return word;
  }
  // 0 to `limit` - 1; `limit` is at most 65536.
  uint32_t Below(uint32_t limit) {
    const uint32_t low = Byte();
    return (limit > 256 ? low | static_cast<uint32_t>(Byte()) << 8 : low) %
           limit;
  }
  // Mostly small or just beyond some border, seldom anything at all.
  uint64_t Number();

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

// The target. Defined once per test.
void FuzzOne(FuzzInput* input);

// Aborts, saying why.
void FuzzCheck(bool ok, const std::string& what);

void CountMutations(uint64_t count);
uint64_t MutationsSoFar();

}  // namespace testing
}  // namespace shmrpc

// What libFuzzer calls, and the driver.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned int seed);

#endif  // SHMRPC_TESTS_FUZZ_FUZZ_H_
