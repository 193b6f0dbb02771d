#include "transport/link/metadata.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace link {
namespace {

void AppendUint32(uint32_t value, std::string* bytes) {
  for (int shift = 0; shift < 32; shift += 8) {
    bytes->push_back(static_cast<char>(value >> shift));
  }
}

uint32_t ReadUint32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

// Takes the first pair off `*bytes`, which are not empty.
absl::Status TakePair(absl::string_view* bytes,
                      std::pair<absl::string_view, absl::string_view>* pair) {
  if (bytes->size() < 8) {
    return absl::DataLossError("metadata ends within a length");
  }
  const uint64_t key_bytes = ReadUint32(*bytes);
  const uint64_t value_bytes = ReadUint32(bytes->substr(4));
  bytes->remove_prefix(8);
  if (key_bytes + value_bytes > bytes->size()) {
    return absl::DataLossError(
        absl::StrCat("metadata claims ", key_bytes + value_bytes,
                     " bytes where ", bytes->size(), " are left"));
  }
  *pair = {bytes->substr(0, key_bytes), bytes->substr(key_bytes, value_bytes)};
  bytes->remove_prefix(key_bytes + value_bytes);
  return absl::OkStatus();
}

}  // namespace

void AppendMetadata(absl::string_view key, absl::string_view value,
                    std::string* bytes) {
  AppendUint32(static_cast<uint32_t>(key.size()), bytes);
  AppendUint32(static_cast<uint32_t>(value.size()), bytes);
  absl::StrAppend(bytes, key, value);
}

absl::Status ParseMetadata(absl::string_view bytes, Metadata* pairs) {
  while (!bytes.empty()) {
    std::pair<absl::string_view, absl::string_view> pair;
    const absl::Status taken = TakePair(&bytes, &pair);
    if (!taken.ok()) return taken;
    pairs->push_back(pair);
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> CountMetadata(absl::string_view bytes) {
  size_t count = 0;
  for (; !bytes.empty(); ++count) {
    std::pair<absl::string_view, absl::string_view> pair;
    const absl::Status taken = TakePair(&bytes, &pair);
    if (!taken.ok()) return taken;
  }
  return count;
}

absl::string_view FindMetadata(const Metadata& pairs, absl::string_view key) {
  for (const auto& pair : pairs) {
    if (pair.first == key) return pair.second;
  }
  return "";
}

}  // namespace link
}  // namespace shmrpc
