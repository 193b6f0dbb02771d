// What both programs agree on.

#ifndef SHMRPC_EXAMPLES_BLOB_STORE_LIMITS_H_
#define SHMRPC_EXAMPLES_BLOB_STORE_LIMITS_H_

#include <cstdint>

namespace blobs {

// The largest blob the store takes.
constexpr int64_t kMaxBlobBytes = int64_t{1} << 30;

// Longest message accepted where a blob may come whole: the largest, and some
// room for what stands beside the data. By default it is 4 MiB, so that a
// program that expects small messages does not get its memory filled by a
// large one.
constexpr int kMaxMessageBytes = static_cast<int>(kMaxBlobBytes) + 4096;

// How much of a blob goes into one part.
constexpr int64_t kPartBytes = 256 * 1024;

}  // namespace blobs

#endif  // SHMRPC_EXAMPLES_BLOB_STORE_LIMITS_H_
