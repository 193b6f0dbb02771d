// One direction of a connection: records in 64-byte units, one producing and
// one consuming side, one cache line moved per small record.
//
//   // producer                                // consumer
//   uint8_t* r = producer.Reserve(96);         uint64_t word = consumer.Peek();
//   if (r == nullptr) ... full ...             if (word != 0) {
//   ... write bytes 8..95 of r ...               ... read consumer.data() ...
//   producer.Publish(word);                      consumer.Advance(size);
//                                              }
//                                              consumer.GiveBack();  //
//                                              sometimes
//
// The record's own first word is the publication flag: 0 until the record is
// complete. So the consumer zeroes the first word of every unit it gives back,
// before it says so in `consumed`: a stale payload word at a unit boundary
// would otherwise pass for a record. A record is at most a quarter of the ring
// and never straddles its end; a padding record fills the end.
//
// Thread rule: each class by one thread at a time; Peek also by others, whose
// answer is a guess. Everything here touches shared memory and owns nothing:
// call it guarded. Ring knows nothing of
// sleeping.
//
// Failures: the producer refuses a `consumed` that cannot be true; what a
// record claims is for the consumer's caller to judge, with FitsRecord().

#ifndef SHMRPC_TRANSPORT_MEMORY_RING_H_
#define SHMRPC_TRANSPORT_MEMORY_RING_H_

#include <atomic>
#include <cstdint>

#include "transport/memory/layout.h"
#include "transport/memory/sync.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace memory {

constexpr uint64_t kUnitBytes = 64;

constexpr uint64_t RoundUpToUnit(uint64_t bytes) {
  return (bytes + kUnitBytes - 1) & ~(kUnitBytes - 1);
}

constexpr uint64_t MaxRecordBytes(uint64_t ring_size_bytes) {
  return ring_size_bytes / 4;
}

constexpr bool ValidRingSize(uint64_t bytes) {
  return bytes >= kMinRingSizeBytes && bytes <= kMaxRingSizeBytes &&
         (bytes & (bytes - 1)) == 0;
}

// `size_kind_flags` of a record.
constexpr uint64_t RecordWord(uint64_t size_bytes, uint8_t kind,
                              uint8_t flags) {
  return (size_bytes & 0xffffffff) | static_cast<uint64_t>(kind) << 32 |
         static_cast<uint64_t>(flags) << 40;
}
constexpr uint32_t RecordSize(uint64_t word) {
  return static_cast<uint32_t>(word);
}
constexpr uint8_t RecordKind(uint64_t word) {
  return static_cast<uint8_t>(word >> 32);
}
constexpr uint8_t RecordFlags(uint64_t word) {
  return static_cast<uint8_t>(word >> 40);
}

template <class Sync>
class BasicRingProducer {
 public:
  using Word = typename Sync::template Atomic<uint64_t>;
  enum class Result { kOk, kFull, kCorrupt };

  BasicRingProducer() = default;
  BasicRingProducer(uint8_t* data, uint64_t size_bytes, Word* consumed)
      : data_(data), size_bytes_(size_bytes), consumed_(consumed) {}

  // Room for a record of `bytes` (8 to MaxRecordBytes). kFull: none now.
  // kCorrupt: the consumer claims to have consumed what was never produced.
  // `*record` stays reserved until Publish; reserving again replaces it.
  Result Reserve(uint64_t bytes, uint8_t** record) {
    const uint64_t need = RoundUpToUnit(bytes);
    const uint64_t offset = produced_ & (size_bytes_ - 1);
    const uint64_t pad = offset + need > size_bytes_ ? size_bytes_ - offset : 0;
    if (produced_ + pad + need - known_consumed_ > size_bytes_) {
      // SYNC(units-given-back): acquire pairs with the consumer's release store
      // in GiveBack; its zeroing of those units is visible before we reuse
      // them.
      const uint64_t consumed = consumed_->load(std::memory_order_acquire);
      if (consumed < known_consumed_ || consumed > produced_ ||
          consumed % kUnitBytes != 0) {
        return Result::kCorrupt;
      }
      known_consumed_ = consumed;
      if (produced_ + pad + need - known_consumed_ > size_bytes_) {
        return Result::kFull;
      }
    }
    if (pad != 0) {
      // A padding record has no content: relaxed would do, release is free on
      // x86 and keeps one rule for every record.
      FirstWord(offset)->store(RecordWord(pad, kFramePad, 0),
                               std::memory_order_release);
      SHMRPC_STORE_POINT("ring.padded");
      produced_ += pad;
    }
    *record = data_ + (produced_ & (size_bytes_ - 1));
    reserved_ = need;
    return Result::kOk;
  }

  // Makes the reserved record visible. `word`: RecordWord of its exact size.
  void Publish(uint64_t word) {
    // SYNC(record-published): release pairs with the acquire in Peek.
    FirstWord(produced_ & (size_bytes_ - 1))
        ->store(word, std::memory_order_release);
    SHMRPC_STORE_POINT("ring.published");
    produced_ += reserved_;
    reserved_ = 0;
  }

  // Is there anything the consumer has not given back, as far as we know?
  bool Outstanding() const { return produced_ != known_consumed_; }

 private:
  Word* FirstWord(uint64_t offset) {
    return reinterpret_cast<Word*>(data_ + offset);
  }

  uint8_t* data_ = nullptr;
  uint64_t size_bytes_ = 0;
  Word* consumed_ = nullptr;
  uint64_t produced_ = 0;        // bytes, since creation
  uint64_t known_consumed_ = 0;  // `*consumed_` when last looked at
  uint64_t reserved_ = 0;
};

template <class Sync>
class BasicRingConsumer {
 public:
  using Word = typename Sync::template Atomic<uint64_t>;

  BasicRingConsumer() = default;
  BasicRingConsumer(uint8_t* data, uint64_t size_bytes, Word* consumed)
      : data_(data), size_bytes_(size_bytes), consumed_(consumed) {}

  // First word of the next record, 0 if there is none yet. Skips no padding.
  // Whoever has taken a whole ring without giving back sees its own old
  // records.
  uint64_t Peek() const {
    // SYNC(record-published): acquire pairs with the release in Publish.
    return FirstWord(taken())->load(std::memory_order_acquire);
  }

  // Where the next record lies.
  const uint8_t* data() const { return data_ + (taken() & (size_bytes_ - 1)); }

  // Could a record of `bytes` stand here? Padding reaches exactly to the end
  // and is shorter than the record it makes room for. So it never fills a whole
  // ring, two of them never follow each other, and nobody can keep us skipping
  // padding for ever.
  bool FitsRecord(uint64_t bytes, uint8_t kind) const {
    const uint64_t left = size_bytes_ - (taken() & (size_bytes_ - 1));
    if (bytes > MaxRecordBytes(size_bytes_)) return false;
    if (kind == kFramePad) return bytes == left;
    return bytes >= sizeof(FrameHeader) && RoundUpToUnit(bytes) <= left;
  }

  // Takes the record of `bytes` that Peek found and FitsRecord allowed. Its
  // bytes stay as they are until GiveBack.
  void Advance(uint64_t bytes) {
    taken_.store(taken() + RoundUpToUnit(bytes), std::memory_order_relaxed);
  }

  bool ShouldGiveBack() const {
    return taken() - given_back_ >= size_bytes_ / 4;
  }
  bool HasTaken() const { return taken() != given_back_; }

  // Returns everything taken so far to the producer.
  void GiveBack() {
    for (; given_back_ != taken(); given_back_ += kUnitBytes) {
      // Relaxed: the release below publishes it.
      FirstWord(given_back_)->store(0, std::memory_order_relaxed);
      SHMRPC_STORE_POINT("ring.zeroed");
    }
    // SYNC(units-given-back): release pairs with the acquire in Reserve.
    consumed_->store(taken(), std::memory_order_release);
    SHMRPC_STORE_POINT("ring.given back");
  }

 private:
  // Relaxed, as the store in Advance: the consuming thread's own; who peeks
  // beside it guesses.
  uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }
  Word* FirstWord(uint64_t position) const {
    return reinterpret_cast<Word*>(data_ + (position & (size_bytes_ - 1)));
  }

  uint8_t* data_ = nullptr;
  uint64_t size_bytes_ = 0;
  Word* consumed_ = nullptr;
  std::atomic<uint64_t> taken_{0};  // bytes, since creation
  uint64_t given_back_ = 0;         // what `*consumed_` says
};

using RingProducer = BasicRingProducer<RealSync>;
using RingConsumer = BasicRingConsumer<RealSync>;

}  // namespace memory
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_RING_H_
