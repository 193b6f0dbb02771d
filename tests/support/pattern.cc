#include "tests/support/pattern.h"

#include <algorithm>
#include <cstring>

namespace shmrpc {
namespace testing {
namespace {

// SplitMix64: every seed gives another sequence, eight bytes at a time.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

std::string Pattern(size_t size_bytes, uint64_t seed) {
  std::string bytes(size_bytes, '\0');
  uint64_t state = Mix(seed + 1);
  for (size_t i = 0; i < size_bytes; i += sizeof(state)) {
    state += 0x9e3779b97f4a7c15;
    const uint64_t word = Mix(state);
    memcpy(&bytes[i], &word, std::min(sizeof(word), size_bytes - i));
  }
  return bytes;
}

uint64_t PatternDigest(absl::string_view bytes) {
  uint64_t digest = Mix(bytes.size());
  for (size_t i = 0; i < bytes.size(); i += sizeof(digest)) {
    uint64_t word = 0;
    memcpy(&word, bytes.data() + i, std::min(sizeof(word), bytes.size() - i));
    digest = Mix(digest ^ word);
  }
  return digest;
}

std::string Repeated(absl::string_view bytes, size_t size_bytes) {
  std::string result;
  if (bytes.empty()) return std::string(size_bytes, '\0');
  result.reserve(size_bytes);
  while (result.size() < size_bytes) {
    const size_t left = size_bytes - result.size();
    result.append(bytes.data(), std::min(bytes.size(), left));
  }
  return result;
}

}  // namespace testing
}  // namespace shmrpc
