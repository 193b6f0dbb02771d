// Bytes to send whose loss, mix-up or stale reuse shows.
//
//   const std::string payload = Pattern(size_bytes, seed);
//   EXPECT_EQ(reply.digest(), PatternDigest(payload));

#ifndef SHMRPC_TESTS_SUPPORT_PATTERN_H_
#define SHMRPC_TESTS_SUPPORT_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace testing {

// `size_bytes` pseudo-random bytes, the same for the same seed.
std::string Pattern(size_t size_bytes, uint64_t seed);

// A 64-bit digest, the same in every process.
uint64_t PatternDigest(absl::string_view bytes);

// `bytes` repeated and cut off at `size_bytes`; zeros if it is empty.
std::string Repeated(absl::string_view bytes, size_t size_bytes);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_PATTERN_H_
