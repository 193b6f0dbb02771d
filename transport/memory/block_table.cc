#include "transport/memory/block_table.h"

#include <iterator>

namespace shmrpc {
namespace memory {

BlockTable::BlockTable(uint64_t size_bytes) : size_bytes_(size_bytes) {
  free_[0] = size_bytes;
}

absl::optional<uint64_t> BlockTable::Allocate(uint64_t size_bytes) {
  if (size_bytes == 0 || size_bytes > size_bytes_) return absl::nullopt;
  const uint64_t need =
      (size_bytes + kGranuleBytes - 1) / kGranuleBytes * kGranuleBytes;
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    if (it->second < need) continue;
    const uint64_t offset = it->first;
    const uint64_t left = it->second - need;
    free_.erase(it);
    if (left != 0) free_[offset + need] = left;
    lent_[offset] = need;
    return offset;
  }
  return absl::nullopt;
}

bool BlockTable::Free(uint64_t offset) {
  auto lent = lent_.find(offset);
  if (lent == lent_.end()) return false;
  uint64_t size = lent->second;
  lent_.erase(lent);
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && next->first == offset + size) {
    size += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      previous->second += size;
      return true;
    }
  }
  free_[offset] = size;
  return true;
}

}  // namespace memory
}  // namespace shmrpc
