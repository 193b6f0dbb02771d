#include "transport/platform/view_registry.h"

#include <atomic>
#include <new>

namespace shmrpc {
namespace platform {
namespace {

constexpr int kChunkEntries = 256;
constexpr int kChunks = 256;

// In the mark above kPoisonBit: how many threads are between BeginPoison and
// EndPoison, and above that how often one began, so that HealView sees it.
constexpr uint32_t kPoisoning = 1u << 1;
constexpr uint32_t kPoisoningMask = 0xfff * kPoisoning;
constexpr uint32_t kPoisonedAnew = 1u << 13;

// A sequence lock per entry: odd while `range` changes. Its own cache line:
// `poisoned` is read after every guarded call, neighbours change when views do.
struct alignas(64) Entry {
  std::atomic<uint32_t> sequence{0};
  std::atomic<uint32_t> poisoned{0};
  std::atomic<uintptr_t> begin{0};  // 0: free
  std::atomic<uintptr_t> end{0};
};

struct Chunk {
  Entry entries[kChunkEntries];
};

// The first chunk needs no allocation; the others stay for good once made.
Chunk first_chunk;
std::atomic<Chunk*> chunks[kChunks] = {{&first_chunk}};

Entry* EntryOf(int registration) {
  // acquire: SYNC(chunk-made), the entries were constructed before.
  Chunk* chunk =
      chunks[registration / kChunkEntries].load(std::memory_order_acquire);
  return &chunk->entries[registration % kChunkEntries];
}

Chunk* ChunkAt(int index) {
  Chunk* chunk = chunks[index].load(std::memory_order_acquire);
  if (chunk != nullptr) return chunk;
  Chunk* fresh = new (std::nothrow) Chunk;
  if (fresh == nullptr) return nullptr;
  // release: SYNC(chunk-made); acquire for the one another thread made first.
  if (chunks[index].compare_exchange_strong(
          chunk, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) {
    return fresh;
  }
  delete fresh;
  return chunk;
}

bool Claim(Entry* entry, const AddressRange& range) {
  uint32_t sequence = entry->sequence.load(std::memory_order_relaxed);
  if (sequence % 2 != 0 || entry->begin.load(std::memory_order_relaxed) != 0) {
    return false;
  }
  // acquire: SYNC(entry-changed), the freeing of the entry comes before this.
  if (!entry->sequence.compare_exchange_strong(sequence, sequence + 1,
                                               std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
    return false;
  }
  // It was free when the sequence was read, and nobody claimed it since.
  if (entry->begin.load(std::memory_order_relaxed) != 0) {
    entry->sequence.store(sequence + 2, std::memory_order_release);
    return false;
  }
  // The odd sequence must be seen before the fields it announces.
  std::atomic_thread_fence(std::memory_order_release);
  entry->poisoned.store(0, std::memory_order_relaxed);
  entry->begin.store(range.begin, std::memory_order_relaxed);
  entry->end.store(range.end, std::memory_order_relaxed);
  // release: SYNC(entry-changed).
  entry->sequence.store(sequence + 2, std::memory_order_release);
  return true;
}

}  // namespace

int RegisterView(const AddressRange& range) {
  InstallFaultHandler();
  for (int c = 0; c < kChunks; ++c) {
    Chunk* chunk = ChunkAt(c);
    if (chunk == nullptr) return -1;
    for (int i = 0; i < kChunkEntries; ++i) {
      if (Claim(&chunk->entries[i], range)) return c * kChunkEntries + i;
    }
  }
  return -1;
}

void DeregisterView(int registration) {
  Entry* entry = EntryOf(registration);
  // The entry is this caller's alone, so a plain load and two stores do.
  const uint32_t sequence = entry->sequence.load(std::memory_order_relaxed);
  entry->sequence.store(sequence + 1, std::memory_order_relaxed);
  // The odd sequence must be seen before the fields it announces.
  std::atomic_thread_fence(std::memory_order_release);
  entry->begin.store(0, std::memory_order_relaxed);
  entry->end.store(0, std::memory_order_relaxed);
  // release: SYNC(entry-changed).
  entry->sequence.store(sequence + 2, std::memory_order_release);
}

int FindView(uintptr_t address, AddressRange* range) {
  for (int c = 0; c < kChunks; ++c) {
    Chunk* chunk = chunks[c].load(std::memory_order_acquire);
    if (chunk == nullptr) break;  // made in order
    for (int i = 0; i < kChunkEntries; ++i) {
      Entry& entry = chunk->entries[i];
      // acquire: SYNC(entry-changed), the fields of this sequence or later.
      const uint32_t before = entry.sequence.load(std::memory_order_acquire);
      const uintptr_t begin = entry.begin.load(std::memory_order_relaxed);
      const uintptr_t end = entry.end.load(std::memory_order_relaxed);
      // The fields are read before the sequence is read again.
      std::atomic_thread_fence(std::memory_order_acquire);
      const uint32_t after = entry.sequence.load(std::memory_order_relaxed);
      if (before % 2 != 0 || before != after) continue;
      if (begin != 0 && begin <= address && address < end) {
        range->begin = begin;
        range->end = end;
        return c * kChunkEntries + i;
      }
    }
  }
  return -1;
}

void PoisonView(int registration) {
  // release: who reads that it is poisoned sees what happened before.
  EntryOf(registration)
      ->poisoned.fetch_or(kPoisonBit, std::memory_order_release);
}

void BeginPoison(int registration) {
  std::atomic<uint32_t>& mark = EntryOf(registration)->poisoned;
  // Relaxed: the next operation on the same word publishes it.
  mark.fetch_add(kPoisoning + kPoisonedAnew, std::memory_order_relaxed);
  // release: pairs with the fence in GuardedCall through the zero pages, which
  // are mapped only after this: who reads zeros also reads the mark.
  mark.fetch_or(kPoisonBit, std::memory_order_release);
}

void EndPoison(int registration) {
  // release: pairs with the acquire in SeePoison: who maps the object after
  // that has mapped it over these zeros.
  EntryOf(registration)
      ->poisoned.fetch_sub(kPoisoning, std::memory_order_release);
}

uint32_t SeePoison(int registration) {
  // acquire: pairs with EndPoison.
  return PoisonMark(registration)->load(std::memory_order_acquire);
}

bool HealView(int registration, uint32_t seen) {
  if ((seen & kPoisoningMask) != 0) return false;
  // release: who reads that there is no poison reads the object, mapped before.
  return EntryOf(registration)
      ->poisoned.compare_exchange_strong(seen, seen & ~kPoisonBit,
                                         std::memory_order_release,
                                         std::memory_order_relaxed);
}

bool ViewIsPoisoned(int registration) {
  return (SeePoison(registration) & kPoisonBit) != 0;
}

const std::atomic<uint32_t>* PoisonMark(int registration) {
  return &EntryOf(registration)->poisoned;
}

}  // namespace platform
}  // namespace shmrpc
