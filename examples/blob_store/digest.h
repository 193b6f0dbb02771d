// A digest that shows whether bytes arrived whole and in order. Fast, and no
// protection against anybody who means to deceive.

#ifndef SHMRPC_EXAMPLES_BLOB_STORE_DIGEST_H_
#define SHMRPC_EXAMPLES_BLOB_STORE_DIGEST_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace blobs {

// The same in every process: both sides of a call are on one machine, so the
// order of the bytes in a word is the same too.
inline uint64_t Digest(const std::string& bytes) {
  uint64_t digest = bytes.size();
  for (size_t i = 0; i < bytes.size(); i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i,
                std::min(sizeof(word), bytes.size() - i));
    // Each step can be undone, so no difference gets lost; the shift brings the
    // high bits, into which multiplying moves everything, back down.
    digest = (digest ^ word) * 0x9e3779b97f4a7c15;
    digest ^= digest >> 32;
  }
  return digest;
}

}  // namespace blobs

#endif  // SHMRPC_EXAMPLES_BLOB_STORE_DIGEST_H_
