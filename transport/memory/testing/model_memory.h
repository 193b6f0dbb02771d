// The memory that the virtual threads of interleave.h share: what a load may
// see, and what happened before what.
//
//   kSequential  one store after the other, seen by everybody at once
//   kTso         x86: a store waits in its thread's buffer, first in first out,
//                while the thread reads on (its own stores first); fences,
//                exchanges and locks wait until the buffer is empty. Memory
//                orders mean nothing to what is seen.
//   kWeak        C++ as written: a load sees any store that is not older than
//                what its thread already knows of that location; a relaxed
//                store may go before others' stores. Release and acquire, and
//                fences, hand knowledge on. More than ARM does, but for one
//                thing that is not modelled: a load never sees a store that a
//                thread makes later (no load goes behind a later store).
//
// In all of them accesses that C++ calls a data race are found: a plain access
// and another one to the same location, at least one of them a store, with no
// happens-before between them. Accesses are whole words at one address; nobody
// looks at a part of another's word. Accesses with memory_order_seq_cst are not
// modelled, and refused.

#ifndef SHMRPC_TRANSPORT_MEMORY_TESTING_MODEL_MEMORY_H_
#define SHMRPC_TRANSPORT_MEMORY_TESTING_MODEL_MEMORY_H_

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

namespace shmrpc {
namespace interleave {

enum class MemoryModel { kSequential, kTso, kWeak };

enum class Order { kPlain, kRelaxed, kAcquire, kRelease, kAcqRel };

constexpr int kMaxThreads = 6;
constexpr int kMaxLocations = 48;

// What a thread knows, or what a store tells those who read it.
struct Knowledge {
  // By location: stores older than this one can no longer be seen.
  std::array<double, kMaxLocations> seen{};
  // By thread: so many of its accesses happened before.
  std::array<uint32_t, kMaxThreads> events{};

  void Join(const Knowledge& other);
  void JoinSeen(const Knowledge& other);
};

// Mixes `value` into the running hash.
uint64_t MixHash(uint64_t hash, uint64_t value);

class ModelMemory {
 public:
  // Who decides, and who is told.
  class Host {
   public:
    virtual ~Host() = default;
    // One of 0 .. options - 1.
    virtual int Choose(int options) = 0;
    virtual void Fail(const std::string& reason) = 0;
  };

  // Thread number `threads` is one more, for what comes before and after.
  ModelMemory(MemoryModel model, int threads, Host* host);

  // Everything as at first. Numbers of locations stay.
  void Reset();
  // All threads begin, knowing what thread number `threads` knows; or have
  // ended, and it knows what all of them know.
  void Fork();
  void Join();

  // The number of a location. `initial`: what it holds if nobody stored yet.
  int Locate(const void* address, uint64_t initial);

  uint64_t Load(int thread, int location, Order order);
  void Store(int thread, int location, Order order, uint64_t value);
  uint64_t Exchange(int thread, int location, Order order, uint64_t value);
  void FullFence(int thread);

  // kTso: a store that waits. Whoever fences, exchanges or locks has to be
  // Drained first.
  bool Drained(int thread) const { return threads_[thread].buffer.empty(); }
  void DrainOne(int thread);

  const Knowledge& known(int thread) const { return threads_[thread].current; }
  void Learn(int thread, const Knowledge& knowledge) {
    threads_[thread].current.Join(knowledge);
  }

  // Of everything that decides what threads will see.
  uint64_t Hash() const;

 private:
  struct Stored {
    uint64_t value;
    double time;      // its place in the location's order of stores
    bool taken;       // an exchange has read it; nothing goes between
    Knowledge tells;  // to whoever reads it
  };
  struct Location {
    std::vector<Stored> stores;  // by time
    // By thread: when it last accessed the location in this way.
    std::array<uint32_t, kMaxThreads> plain_loads{};
    std::array<uint32_t, kMaxThreads> plain_stores{};
    std::array<uint32_t, kMaxThreads> atomic_loads{};
    std::array<uint32_t, kMaxThreads> atomic_stores{};
  };
  struct Buffered {
    int location;
    uint64_t value;
    Knowledge tells;
  };
  struct Thread {
    Knowledge current;
    Knowledge at_fence;    // what relaxed stores tell: as of the last fence
    Knowledge by_relaxed;  // what relaxed loads were told: known after a fence
    std::deque<Buffered> buffer;
  };

  void NoteAccess(int thread, int location, bool store, bool plain);
  uint64_t See(int thread, int location, Order order, const Stored& stored);
  // Puts a store right behind stores[index].
  void Insert(int location, int index, uint64_t value, const Knowledge& tells);
  // What a store of this order tells, but for its own place.
  const Knowledge& Told(int thread, Order order) const;
  uint64_t HashOf(uint64_t hash, const Knowledge& knowledge) const;

  const MemoryModel model_;
  const int count_;  // of threads, without the one more
  Host* const host_;
  std::unordered_map<const void*, int> numbers_;
  std::vector<Location> locations_;
  std::vector<Thread> threads_;
  Knowledge fences_;          // kWeak: what threads knew at their fences
  uint64_t stores_hash_ = 0;  // of all stores, whatever the order of making
};

}  // namespace interleave
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_TESTING_MODEL_MEMORY_H_
