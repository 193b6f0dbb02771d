// Runs a small concurrent program in every way its threads can interleave, on
// a memory that reorders (model_memory.h): the shipped templates, with
// ModelSync for RealSync.
//
//   ModelSync::Atomic<uint32_t> flag{0};
//   uint64_t data = 0;
//   Program program;
//   program.reset = [&] { flag = ModelSync::Atomic<uint32_t>(0); data = 0; };
//   program.threads = {
//       [&] { Write(&data, 1); flag.store(1, std::memory_order_release); },
//       [&] {
//         if (flag.load(std::memory_order_acquire) != 0) {
//           Check(Read(&data) == 1, "the data");
//         }
//       }};
//   const Report report = ExploreAll(program, MemoryModel::kWeak);
//   EXPECT_EQ(report.failure, "");
//
// Threads are fibers. Before every operation of ModelSync, Event and Mutex a
// scheduler decides who goes on (or whose oldest buffered store becomes
// visible); what a load sees may be a decision too. ExploreAll makes all
// decisions in turn, depth first: every execution runs from the start, with the
// decisions of the one before up to the last that can be made differently.
//
// Whose turn it is is no decision where somebody's next operation commutes with
// all that others could do before it: that one goes first. In TSO those are a
// store into the own buffer and a fence with an empty one; in the weak memory a
// store, behind which others still see what was there before and put theirs
// before it; always to unlock.
//
// Executions that meet are followed once: a thread's future depends on the
// results of its operations so far, and on memory; where both were the same
// before (64-bit hashes of them), everything that can come has been seen. This
// needs threads that share nothing but what goes through these operations, and
// what a Mutex guards.
//
// Failures: Check, a data race, threads that all wait, an execution without
// end. The first one ends the exploration; the report says which steps led
// there.
//
// Rules for programs: `reset` makes everything as it was (the first thing an
// address is used for takes over what lies there), and may use the operations,
// which nobody then interferes with; so may `finish`, after all threads have
// ended. A thread owns nothing while it is inside of an operation: an execution
// may be abandoned there. The same objects at the same addresses every time.
//
// Thread rule: one exploration at a time, in one real thread.

#ifndef SHMRPC_TRANSPORT_MEMORY_TESTING_INTERLEAVE_H_
#define SHMRPC_TRANSPORT_MEMORY_TESTING_INTERLEAVE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "transport/memory/testing/model_memory.h"

namespace shmrpc {
namespace interleave {

struct Program {
  std::function<void()> reset;
  std::vector<std::function<void()>> threads;
  std::function<void()> finish = [] {};
  // What a failure's steps call the words, by address.
  std::function<std::string(const void*)> name;
};

struct Report {
  std::string failure;  // empty: none; else what, and the steps that led there
  uint64_t executions = 0;  // run, wholly or up to where they met another one
  uint64_t states = 0;      // different ones; ExploreAll only
  // That these executions stand for, all ways of what loads see among them;
  // ExploreAll: only if complete.
  double interleavings = 0;
  bool complete = false;  // nothing was left out; ExploreAll only
};
// The numbers, without the failure.
std::ostream& operator<<(std::ostream& out, const Report& report);

// Everything, but at most so many executions.
Report ExploreAll(const Program& program, MemoryModel model,
                  uint64_t most_executions = 20 * 1000 * 1000);

// The same without leaving anything out: to check the above against.
Report ExploreAllUnreduced(const Program& program, MemoryModel model);

// So many executions with decisions by chance.
Report ExploreRandom(const Program& program, MemoryModel model, uint64_t seed,
                     uint64_t executions);

// --- inside of programs ---

// Fails the execution unless `good`.
void Check(bool good, const char* what);

// Plain memory, by whole words. No decisions: if nobody else can interfere it
// does not matter when it happens, and if somebody can, it is a data race.
uint64_t Read(const uint64_t* word);
void Write(uint64_t* word, uint64_t value);

// An auto-reset event, of the system's: orders no memory accesses.
class Event {
 public:
  void Signal();
  void Wait();
};

// Drains the store buffer both ways, hands on knowledge to the next holder.
class Mutex {
 public:
  void Lock();
  void Unlock();
};

// The operations behind ModelSync. `word` also holds the initial value.
uint64_t AtomicLoad(const void* word, uint64_t initial,
                    std::memory_order order);
void AtomicStore(const void* word, uint64_t initial, uint64_t value,
                 std::memory_order order);
uint64_t AtomicExchange(const void* word, uint64_t initial, uint64_t value,
                        std::memory_order order);
void AtomicFence();

struct ModelSync {
  // No larger than a T: it can be laid over bytes.
  template <class T>
  class Atomic {
   public:
    explicit Atomic(T initial) : initial_(initial) {}

    T load(std::memory_order order) const {
      return static_cast<T>(AtomicLoad(this, initial_, order));
    }
    void store(T value, std::memory_order order) {
      AtomicStore(this, initial_, value, order);
    }
    T exchange(T value, std::memory_order order) {
      return static_cast<T>(AtomicExchange(this, initial_, value, order));
    }

   private:
    T initial_;
  };

  static void FullFence() { AtomicFence(); }
};
static_assert(sizeof(ModelSync::Atomic<uint64_t>) == 8, "lies over bytes");
static_assert(sizeof(ModelSync::Atomic<uint32_t>) == 4, "lies over bytes");

}  // namespace interleave
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_TESTING_INTERLEAVE_H_
