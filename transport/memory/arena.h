// Memory for what does not fit the ring, growing by segments.
//
//   // sender                                // receiver
//   auto block = sender.Allocate(size);
//   ... write block->data, guarded by
//       *block->view; announce the
//       segment if it is new ...             receiver.AddSegment(number, info);
//   ... then send block->ref ...             auto bytes =
//   receiver.Resolve(ref);
//                                            ... read bytes->data, guarded;
//                                                send ref.block back ...
//   sender.Return(number);
//
// The sender allocates with private bookkeeping and believes the receiver only
// that a block which is lent comes back. The receiver maps a segment when it is
// announced, also if its sender has been killed meanwhile, and checks every
// reference against the size it mapped. A segment is named after its
// connection and a nonce of its own, which the announcement tells, so nobody
// else can take its name beforehand. It is unlinked by the receiver as soon as
// it has mapped it; or, where it is another user's and the system lets nobody
// else unlink it (Linux), by the sender when it frees the segment.
//
// Both ends charge segments to an account of what may be held for the peer. A
// receiver whose account has no room refuses the segment: blocks in it are
// known by number only, and the sender, told so, uses it no more. Segments live
// as long as their connection, but one that was refused, and then also those
// without blocks, is dropped by its sender, who says so.
//
// Thread rule: ArenaSender any thread; ArenaReceiver one at a time, but what
// Resolve returned stays valid on any thread as long as its view is held.
// Failures: RESOURCE_EXHAUSTED when the system, or the account, has no memory
// for a segment; DATA_LOSS for what the peer cannot honestly have said.

#ifndef SHMRPC_TRANSPORT_MEMORY_ARENA_H_
#define SHMRPC_TRANSPORT_MEMORY_ARENA_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "transport/memory/block_table.h"
#include "transport/memory/layout.h"
#include "transport/memory/memory_account.h"
#include "transport/platform/mapping.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace memory {

constexpr uint64_t kMinSegmentBytes = 1 << 20;
constexpr uint64_t kMaxSpareSegmentBytes = 64 << 20;
// Most segments of one direction that exist at once.
constexpr uint32_t kMaxSegments = 256;
// Beyond what any system has, and far from overflow.
constexpr uint64_t kMaxBlockBytes = uint64_t{1} << 56;

// `base_name` + ".c0.NONCE", ".c1.NONCE" ... (".s0." for the server), and
// ".PID.START" of whom it is kept for: docs/layout.md.
platform::ObjectName SegmentName(const platform::ObjectName& base_name,
                                 Side side, uint32_t number,
                                 const SegmentInfo& info);

// Is `name` that of a segment that is kept for a process which lives? Not to be
// reclaimed, then: what its sender left will be read.
bool IsKeptForAProcess(absl::string_view name);

struct Block {
  BlockRef ref;
  uint8_t* data = nullptr;
  std::shared_ptr<platform::View> view;
};

class ArenaSender {
 public:
  // `base_name`: the connection's. `account`: what may be held for the peer;
  // null: no limit. `receiver`: whom segments are kept for should this process
  // end before they were mapped; none: nobody.
  ArenaSender(platform::ObjectName base_name, Side side,
              platform::AccessPolicy access,
              std::shared_ptr<MemoryAccount> account = nullptr,
              platform::ProcessId receiver = {});
  ~ArenaSender();

  // A block of `size_bytes`, lent until Return or Cancel of its number.
  // INVALID_ARGUMENT for 0 and for more than kMaxBlockBytes.
  absl::StatusOr<Block> Allocate(uint64_t size_bytes);

  // Takes back a block that was never sent.
  void Cancel(const Block& block);

  // The receiver gives a block back. DATA_LOSS if it is not lent.
  absl::Status Return(uint32_t number);

  // The receiver keeps no segment of this number. DATA_LOSS if there is none,
  // or if it said so before.
  absl::Status Refused(uint32_t segment);

  // A segment the peer has to be told of.
  struct Announcement {
    uint32_t segment;
    SegmentInfo info;  // of 0 bytes: it was dropped
  };
  // What is to be announced before the next block is sent. The caller sends
  // them in order, holding its own send lock.
  std::vector<Announcement> TakeAnnouncements();
  // Cheap, exact for blocks that the calling thread allocated.
  bool HasAnnouncements() const {
    // Relaxed: set by Allocate, Return or Refused on the same thread, or on one
    // that then announces it itself.
    return has_announcements_.load(std::memory_order_relaxed);
  }

  // The destructor leaves the names of segments with lent blocks: the receiver,
  // which may not have mapped them yet, will, and frees them. For a sender that
  // goes in peace while its peer stays. (Windows frees them all the same.)
  void LeaveLent();

  // Bytes of all segments.
  uint64_t SizeBytes() const;

  // Blocks that are lent.
  uint64_t LentBlocks() const;

 private:
  struct Segment;
  using Segments = std::map<uint32_t, std::unique_ptr<Segment>>;
  absl::StatusOr<Segment*> AddSegment(uint64_t at_least_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::unique_ptr<Segment>> MakeSegment(uint64_t size_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Free(uint32_t block, bool returned) ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops those that hold no block, if the peer has seen them.
  void DropEmpty() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The one after it.
  Segments::iterator Drop(Segments::iterator segment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Block> AllocateLocked(uint64_t size_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const platform::ObjectName base_name_;
  const Side side_;
  const platform::AccessPolicy access_;
  const std::shared_ptr<MemoryAccount> account_;  // may be null
  const platform::ProcessId receiver_;
  mutable absl::Mutex mutex_;
  Segments segments_ ABSL_GUARDED_BY(mutex_);
  uint32_t next_segment_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t next_block_ ABSL_GUARDED_BY(mutex_) = 0;
  struct Lent {
    uint32_t segment;
    uint64_t offset_bytes;
  };
  absl::flat_hash_map<uint32_t, Lent> lent_ ABSL_GUARDED_BY(mutex_);
  bool leave_lent_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Announcement> announcements_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> has_announcements_{false};
};

class ArenaReceiver {
 public:
  // `side`: the sender's. `account`: as ArenaSender's. `sender_user`
  // (platform/user.h), "": this process's user: whose segments they are.
  ArenaReceiver(platform::ObjectName base_name, Side side,
                std::shared_ptr<MemoryAccount> account = nullptr,
                std::string sender_user = "");
  // Frees the names of segments that were left to it and never announced.
  ~ArenaReceiver();

  // RESOURCE_EXHAUSTED: it is known, and was refused; tell the sender. Other
  // errors: a lie.
  absl::Status AddSegment(uint32_t number, const SegmentInfo& info);
  // The sender uses it no more. What Resolve returned stays. DATA_LOSS if there
  // is none.
  absl::Status DropSegment(uint32_t number);

  struct Bytes {
    const uint8_t* data;
    uint64_t size_bytes;
    std::shared_ptr<platform::View> view;  // keeps it mapped; null: refused
  };
  // `ref` is the caller's private copy.
  absl::StatusOr<Bytes> Resolve(const BlockRef& ref) const;

 private:
  platform::OpenOptions GuestOptions() const;

  const platform::ObjectName base_name_;
  const Side side_;
  const std::string sender_user_;
  const uint32_t fork_generation_;
  const std::shared_ptr<MemoryAccount> account_;  // may be null
  absl::Status Map(uint32_t number, const SegmentInfo& info,
                   std::shared_ptr<platform::View>* view);

  // null: refused.
  absl::flat_hash_map<uint32_t, std::shared_ptr<platform::View>> segments_;
};

}  // namespace memory
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_ARENA_H_
