// Key-value pairs as bytes: for each, the lengths of key and value (uint32,
// little-endian) and then both. Order and repetitions are kept; values are any
// bytes.
//
//   std::string bytes;
//   AppendMetadata("grpc-message", "no such user", &bytes);
//   Metadata pairs;
//   absl::Status status = ParseMetadata(bytes, &pairs);

#ifndef SHMRPC_TRANSPORT_LINK_METADATA_H_
#define SHMRPC_TRANSPORT_LINK_METADATA_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shmrpc {
namespace link {

using Metadata = std::vector<std::pair<absl::string_view, absl::string_view>>;

void AppendMetadata(absl::string_view key, absl::string_view value,
                    std::string* bytes);

// `pairs` points into `bytes`, which is the caller's private copy. DATA_LOSS if
// a length does not fit; what was parsed before stays.
absl::Status ParseMetadata(absl::string_view bytes, Metadata* pairs);

// The number of pairs, after the same look at every length.
absl::StatusOr<size_t> CountMetadata(absl::string_view bytes);

// The first value of `key`, or "".
absl::string_view FindMetadata(const Metadata& pairs, absl::string_view key);

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_METADATA_H_
