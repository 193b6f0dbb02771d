// A ring of eight units under interleave.h: the shipped producer and consumer,
// with records whose words are checked on the other side, and ways to break
// them.
//
// Records are one or two units long. Their bodies look like records: a word
// that is left where a record's first word will be looked for passes for one.

#ifndef SHMRPC_TRANSPORT_MEMORY_TESTING_MODEL_RING_H_
#define SHMRPC_TRANSPORT_MEMORY_TESTING_MODEL_RING_H_

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "transport/memory/ring.h"
#include "transport/memory/testing/interleave.h"

namespace shmrpc {
namespace interleave {

constexpr uint64_t kModelRingUnits = 8;
constexpr uint64_t kModelRingBytes = kModelRingUnits * memory::kUnitBytes;

// --- deliberately broken: in place of ModelSync ---

struct RelaxedLoads : ModelSync {
  template <class T>
  struct Atomic : ModelSync::Atomic<T> {
    T load(std::memory_order) const {
      return ModelSync::Atomic<T>::load(std::memory_order_relaxed);
    }
  };
};

struct RelaxedStores : ModelSync {
  template <class T>
  struct Atomic : ModelSync::Atomic<T> {
    void store(T value, std::memory_order) {
      ModelSync::Atomic<T>::store(value, std::memory_order_relaxed);
    }
  };
};

// A consumer that gives units back as they are.
struct WithoutZeroing : ModelSync {
  template <class T>
  struct Atomic : ModelSync::Atomic<T> {
    void store(T value, std::memory_order order) {
      if (value != 0) ModelSync::Atomic<T>::store(value, order);
    }
  };
};

// A consumer that says that it has given back, and only then zeroes.
struct LateZeroing : ModelSync {
  template <class T>
  struct Atomic : ModelSync::Atomic<T> {
    void store(T value, std::memory_order order) {
      if (value == 0) {
        late[count++] = this;
        return;
      }
      ModelSync::Atomic<T>::store(value, order);
      for (int i = 0; i < count; ++i) {
        late[i]->ModelSync::template Atomic<T>::store(
            0, std::memory_order_relaxed);
      }
      count = 0;
    }
    static Atomic* late[kModelRingUnits];
    static int count;
  };
};
template <class T>
LateZeroing::Atomic<T>* LateZeroing::Atomic<T>::late[kModelRingUnits];
template <class T>
int LateZeroing::Atomic<T>::count;

// --- the ring ---

template <class ProducerSync = ModelSync, class ConsumerSync = ModelSync>
class ModelRing {
 public:
  using Producer = memory::BasicRingProducer<ProducerSync>;
  using Consumer = memory::BasicRingConsumer<ConsumerSync>;
  enum class Found { kNothing, kPadding, kRecord };

  // `units`: of the records, one after the other.
  explicit ModelRing(std::vector<uint64_t> units) : units_(std::move(units)) {}

  // An empty ring that stands at unit `at`, but for the first `filled` records.
  void Reset(uint64_t at, uint64_t filled) {
    std::memset(data_, 0, sizeof(data_));
    consumed_ = 0;
    producer_ = Producer(data_, kModelRingBytes, ConsumedOf<ProducerSync>());
    consumer_.emplace(data_, kModelRingBytes, ConsumedOf<ConsumerSync>());
    LateZeroing::Atomic<uint64_t>::count = 0;
    for (uint64_t i = 0; i < at; ++i) {
      uint8_t* to = nullptr;
      producer_.Reserve(memory::kUnitBytes, &to);
      producer_.Publish(memory::RecordWord(memory::kUnitBytes, kKind, 0));
      consumer_->Advance(memory::kUnitBytes);
    }
    // Whatever the consumer is broken in, it begins with a clean ring.
    if (at != 0) consumer_->GiveBack();
    for (uint64_t i = 0; i < at; ++i) {
      AtomicStore(data_ + i * memory::kUnitBytes, 0, 0,
                  std::memory_order_relaxed);
    }
    pushed_ = taken_ = 0;
    for (uint64_t i = 0; i < filled; ++i) {
      Check(TryPush(), "the first records fit");
    }
  }

  // Producer. The next record, if there is room. `publish_first` is broken.
  bool TryPush(bool publish_first = false) {
    const uint64_t bytes = units_[pushed_] * memory::kUnitBytes;
    const uint64_t word = memory::RecordWord(bytes, kKind, 0);
    uint8_t* to = nullptr;
    const typename Producer::Result reserved = producer_.Reserve(bytes, &to);
    Check(reserved != Producer::Result::kCorrupt,
          "the producer finds `consumed` impossible");
    if (reserved == Producer::Result::kFull) return false;
    if (publish_first) producer_.Publish(word);
    for (uint64_t at = 0; at < bytes; at += memory::kUnitBytes) {
      // The first word of a unit, but for the record's own.
      if (at != 0) Write(reinterpret_cast<uint64_t*>(to + at), BodyWord());
      Write(reinterpret_cast<uint64_t*>(to + at + 8), pushed_);
    }
    if (!publish_first) producer_.Publish(word);
    ++pushed_;
    return true;
  }
  bool AllPushed() const { return pushed_ == units_.size(); }

  // Consumer: takes what comes next, which has to be the right record.
  Found Take() {
    const uint64_t word = consumer_->Peek();
    if (word == 0) return Found::kNothing;
    const uint64_t bytes = memory::RecordSize(word);
    const uint8_t kind = memory::RecordKind(word);
    Check(consumer_->FitsRecord(bytes, kind),
          "a record that cannot stand here");
    if (kind == memory::kFramePad) {
      consumer_->Advance(bytes);
      return Found::kPadding;
    }
    Check(taken_ < units_.size(), "a record too many");
    Check(bytes == units_[taken_] * memory::kUnitBytes,
          "another record's size");
    const uint8_t* from = consumer_->data();
    for (uint64_t at = 0; at < bytes; at += memory::kUnitBytes) {
      if (at != 0) {
        Check(Read(reinterpret_cast<const uint64_t*>(from + at)) == BodyWord(),
              "a body that was not sent");
      }
      Check(Read(reinterpret_cast<const uint64_t*>(from + at + 8)) == taken_,
            "another record's body");
    }
    consumer_->Advance(bytes);
    ++taken_;
    return Found::kRecord;
  }
  bool AllTaken() const { return taken_ == units_.size(); }

  // As Connection takes a frame: gives back from time to time.
  template <class GiveBack>
  bool Next(GiveBack give_back) {
    for (;;) {
      if (consumer_->ShouldGiveBack()) give_back();
      const Found found = Take();
      if (found != Found::kPadding) return found == Found::kRecord;
    }
  }

  Consumer& consumer() { return *consumer_; }

  std::string Name(const void* address) const {
    const uint8_t* at = static_cast<const uint8_t*>(address);
    if (address == &consumed_) return "consumed";
    if (at < data_ || at >= data_ + kModelRingBytes) return "?";
    return "unit " + std::to_string((at - data_) / memory::kUnitBytes);
  }

 private:
  static constexpr uint8_t kKind = memory::kFrameOpen;

  // Would pass for a record of one unit.
  static uint64_t BodyWord() {
    return memory::RecordWord(memory::kUnitBytes, kKind, 0);
  }

  template <class Sync>
  typename Sync::template Atomic<uint64_t>* ConsumedOf() {
    return reinterpret_cast<typename Sync::template Atomic<uint64_t>*>(
        &consumed_);
  }

  const std::vector<uint64_t> units_;
  alignas(64) uint8_t data_[kModelRingBytes];
  uint64_t consumed_ = 0;
  Producer producer_;
  std::optional<Consumer> consumer_;
  uint64_t pushed_ = 0;  // the producer's
  uint64_t taken_ = 0;   // the consumer's
};

// --- reports ---

// How many executions a random exploration has: SHMRPC_TEST_EXECUTIONS, or so
// many.
inline uint64_t RandomExecutions(uint64_t otherwise) {
  const char* text = std::getenv("SHMRPC_TEST_EXECUTIONS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

inline void PrintExplored(const std::string& what, MemoryModel model,
                          const Report& report) {
  static const char* const kModels[] = {"sequential", "TSO", "weak"};
  std::cout << "explored: " << what << ", " << kModels[static_cast<int>(model)]
            << ": " << report << std::endl;
}

}  // namespace interleave
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_TESTING_MODEL_RING_H_
