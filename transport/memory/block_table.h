// Which bytes of a segment are lent. Private to the sender: nothing the peer
// writes is read here.
//
//   BlockTable table(1 << 20);
//   absl::optional<uint64_t> offset = table.Allocate(100000);
//   table.Free(*offset);
//
// First fit from the lowest offset, neighbours merged on Free: the lowest pages
// are reused first and stay warm.
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TRANSPORT_MEMORY_BLOCK_TABLE_H_
#define SHMRPC_TRANSPORT_MEMORY_BLOCK_TABLE_H_

#include <cstdint>
#include <map>

#include "absl/types/optional.h"

namespace shmrpc {
namespace memory {

class BlockTable {
 public:
  // Blocks start on cache lines, so that two of them never share one.
  static constexpr uint64_t kGranuleBytes = 64;

  explicit BlockTable(uint64_t size_bytes);

  // Offset of a block of at least `size_bytes` (> 0), or nullopt.
  absl::optional<uint64_t> Allocate(uint64_t size_bytes);

  // `offset` came from Allocate and was not freed since; otherwise false and
  // nothing changes.
  bool Free(uint64_t offset);

  uint64_t size_bytes() const { return size_bytes_; }
  bool empty() const { return lent_.empty(); }

 private:
  const uint64_t size_bytes_;
  std::map<uint64_t, uint64_t> free_;  // offset -> size, merged
  std::map<uint64_t, uint64_t> lent_;  // offset -> size
};

}  // namespace memory
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_BLOCK_TABLE_H_
