// The shipped doorbell and ring, put together as Connection does, in all
// interleavings of a consumer and its producers, and in many by chance. A
// wake-up that is lost is an execution in which everybody waits.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/link/doorbell.h"
#include "transport/memory/testing/interleave.h"
#include "transport/memory/testing/model_ring.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace interleave {
namespace {

using ::shmrpc::testing::TestSeed;
using Mark = ModelSync::Atomic<uint32_t>;

// Deliberately broken, in place of ModelSync.
struct WithoutFence : ModelSync {
  static void FullFence() {}
};

// What is broken besides.
struct Habits {
  bool consumer_looks_again = true;
  bool producer_looks_again = true;
};

struct Case {
  const char* name;
  uint64_t at;      // the unit where the ring stands at first
  uint64_t filled;  // so many records are in it
  std::vector<uint64_t> units;
  std::vector<int> sends;  // of each producer; together all that is not in yet
  bool weak;               // also in the weak memory, where it takes longer
};

// One direction of a connection. `ParkSync` is behind the marks that are put
// up, `TakeSync` behind those that are taken down.
template <class ParkSync, class TakeSync>
class Link {
 public:
  Link(const Case& c, Habits habits)
      : case_(c), habits_(habits), ring_(c.units) {}

  Program MakeProgram() {
    Program program;
    program.reset = [this] { Reset(); };
    program.threads.push_back([this] { Consume(); });
    for (const int sends : case_.sends) {
      program.threads.push_back([this, sends] {
        for (int i = 0; i < sends; ++i) Send();
        // The last one also hears that there is room again.
        if (IsLast()) FlushUntilAllPushed();
      });
    }
    program.finish = [this] {
      Check(ring_.AllTaken(), "a record is lost");
      Check(rings_ <= parks_, "a ring that nobody had parked for");
      Check(space_rings_ <= space_parks_, "a ring for room nobody wanted");
      sleeps_ += slept_;
      space_sleeps_ += space_slept_;
    };
    program.name = [this](const void* address) -> std::string {
      if (address == &parked_) return "parked";
      if (address == &wants_space_) return "wants_space";
      if (address == &event_) return "the consumer's event";
      if (address == &space_event_) return "the producer's event";
      return address == &mutex_ ? "the mutex" : ring_.Name(address);
    };
    return program;
  }

  // Of all executions: did anybody ever sleep?
  uint64_t sleeps() const { return sleeps_; }
  uint64_t space_sleeps() const { return space_sleeps_; }

 private:
  using Parking = link::BasicDoorbell<ParkSync>;
  using Taking = link::BasicDoorbell<TakeSync>;

  void Reset() {
    ring_.Reset(case_.at, case_.filled);
    parked_ = wants_space_ = Mark(0);
    backlog_ = 0;
    through_ = 0;
    parks_ = rings_ = slept_ = 0;
    space_parks_ = space_rings_ = space_slept_ = 0;
  }

  // --- the producers: as PushOrKeep, Push and FlushLocked ---

  void Send() {
    mutex_.Lock();
    Flush();
    if (backlog_ != 0 || !Push()) {
      ++backlog_;
      Flush();
    }
    mutex_.Unlock();
  }

  bool IsLast() {
    mutex_.Lock();
    const bool last = ++through_ == case_.sends.size();
    mutex_.Unlock();
    return last;
  }

  bool Push() {
    if (!ring_.TryPush()) return false;
    if (Taking::TakeMark(&parked_)) {
      ++rings_;
      event_.Signal();
    }
    return true;
  }

  void Flush() {
    bool marked = false;
    while (backlog_ != 0) {
      if (!Push()) {
        if (marked) return;
        Parking::Park(&wants_space_);
        ++space_parks_;
        if (!habits_.producer_looks_again) return;
        marked = true;
        continue;
      }
      marked = false;
      --backlog_;
    }
  }

  void FlushUntilAllPushed() {
    for (;;) {
      mutex_.Lock();
      Flush();
      const bool waits = backlog_ != 0;
      mutex_.Unlock();
      if (!waits) return;
      ++space_slept_;
      space_event_.Wait();
    }
  }

  // --- the consumer: as Next and Park, and who uses them ---

  void GiveBackSpace() {
    ring_.consumer().GiveBack();
    if (Taking::TakeMark(&wants_space_)) {
      ++space_rings_;
      space_event_.Signal();
    }
  }

  void Consume() {
    for (;;) {
      while (ring_.Next([this] { GiveBackSpace(); })) {
      }
      if (ring_.AllTaken()) return;
      if (ring_.consumer().HasTaken()) GiveBackSpace();
      Parking::Park(&parked_);
      ++parks_;
      if (!habits_.consumer_looks_again || ring_.consumer().Peek() == 0) {
        ++slept_;
        event_.Wait();
      }
      Parking::Unpark(&parked_);
    }
  }

  const Case case_;
  const Habits habits_;
  ModelRing<> ring_;
  Mark parked_{0};
  Mark wants_space_{0};
  Event event_;
  Event space_event_;
  Mutex mutex_;
  int backlog_ = 0;     // under mutex_
  size_t through_ = 0;  // producers; under mutex_

  int parks_ = 0;
  int rings_ = 0;
  int slept_ = 0;
  int space_parks_ = 0;
  int space_rings_ = 0;
  int space_slept_ = 0;
  uint64_t sleeps_ = 0;
  uint64_t space_sleeps_ = 0;
};

const Case kCases[] = {
    {"one producer", 0, 0, {1, 1}, {2}, true},
    {"one producer, padding", 7, 0, {1, 2, 1}, {3}, false},
    {"two producers", 0, 0, {1, 1}, {1, 1}, true},
    {"two producers, three records", 0, 0, {1, 1, 1}, {2, 1}, false},
    {"a full ring", 0, 4, {2, 2, 2, 2, 1}, {1}, true},
    {"a full ring, padding", 5, 3, {2, 2, 2, 2}, {1}, true},
};

template <class ParkSync, class TakeSync>
std::string Failure(const Case& c, MemoryModel model, Habits habits = {}) {
  Link<ParkSync, TakeSync> link(c, habits);
  return ExploreAll(link.MakeProgram(), model).failure;
}

TEST(DoorbellInterleave, NoInterleavingLosesAWakeUp) {
  for (const Case& c : kCases) {
    for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
      if (model == MemoryModel::kWeak && !c.weak) continue;
      Link<ModelSync, ModelSync> link(c, {});
      const Report report = ExploreAll(link.MakeProgram(), model);
      PrintExplored(c.name, model, report);
      EXPECT_TRUE(report.failure.empty()) << report.failure;
      EXPECT_TRUE(report.complete);
      EXPECT_GT(link.sleeps(), 0u) << "nobody ever slept: " << c.name;
      EXPECT_EQ(link.space_sleeps() > 0, c.filled != 0) << c.name;
    }
  }
}

TEST(DoorbellInterleave, ByChanceWithManyRecordsAndFullRings) {
  TestSeed seed;
  const uint64_t executions = RandomExecutions(2000);
  std::mt19937_64 random(seed.value());
  std::vector<uint64_t> units;
  for (int i = 0; i < 30; ++i) units.push_back(1 + random() % 2);
  const Case cases[] = {{"30 records of three producers",
                         random() % kModelRingUnits,
                         0,
                         units,
                         {10, 10, 10},
                         true},
                        {"a full ring, two producers",
                         0,
                         4,
                         {2, 2, 2, 2, 1, 1, 2},
                         {2, 1},
                         true}};
  uint64_t sleeps = 0;
  uint64_t space_sleeps = 0;
  for (const Case& c : cases) {
    for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
      Link<ModelSync, ModelSync> link(c, {});
      const Report report =
          ExploreRandom(link.MakeProgram(), model, seed.value(), executions);
      PrintExplored(c.name, model, report);
      EXPECT_TRUE(report.failure.empty()) << report.failure;
      sleeps += link.sleeps();
      space_sleeps += link.space_sleeps();
    }
  }
  EXPECT_GT(sleeps, 0u);
  EXPECT_GT(space_sleeps, 0u);
  std::cout << "SHMRPC_TEST_SEED=" << seed.value() << std::endl;
}

// Producers without a lock, each with a word of its own: what doorbell.h says
// of any number of them.
TEST(DoorbellInterleave, ProducersNeedNoLock) {
  constexpr int kProducers = 2;
  using Doorbell = link::BasicDoorbell<ModelSync>;
  struct Shared {
    Mark published[kProducers] = {Mark(0), Mark(0)};
    Mark parked{0};
  };
  Shared shared;
  Event event;
  int rings = 0;
  int parks = 0;
  Program program;
  program.reset = [&] {
    shared = Shared();
    rings = parks = 0;
  };
  program.threads.push_back([&] {
    const auto look = [&] {
      uint32_t sum = 0;
      for (const Mark& m : shared.published) {
        sum += m.load(std::memory_order_acquire);
      }
      return sum;
    };
    for (uint32_t seen = look(); seen != kProducers; seen = look()) {
      Doorbell::Park(&shared.parked);
      ++parks;
      if (look() == seen) event.Wait();
      Doorbell::Unpark(&shared.parked);
    }
  });
  for (Mark& published : shared.published) {
    program.threads.push_back([&] {
      published.store(1, std::memory_order_release);
      if (Doorbell::TakeMark(&shared.parked)) {
        ++rings;
        event.Signal();
      }
    });
  }
  program.finish = [&] { Check(rings <= parks, "a ring too many"); };
  for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
    const Report report = ExploreAll(program, model);
    PrintExplored("two producers without a lock", model, report);
    EXPECT_TRUE(report.failure.empty()) << report.failure;
    EXPECT_TRUE(report.complete);
  }
}

TEST(DoorbellInterleave, NobodyParkedNobodyRings) {
  ModelRing<> ring({1, 1, 1});
  Mark parked{0};
  Program program;
  program.reset = [&] {
    ring.Reset(0, 0);
    parked = Mark(0);
  };
  program.threads = {[&] {
                       for (int i = 0; i < 5; ++i) {
                         ring.Next([&] { ring.consumer().GiveBack(); });
                       }
                     },
                     [&] {
                       while (!ring.AllPushed()) {
                         ring.TryPush();
                         Check(
                             !link::BasicDoorbell<ModelSync>::TakeMark(&parked),
                             "rang a consumer that is awake");
                       }
                     }};
  for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
    const Report report = ExploreAll(program, model);
    PrintExplored("nobody parked", model, report);
    EXPECT_TRUE(report.failure.empty()) << report.failure;
    EXPECT_TRUE(report.complete);
  }
}

// --- broken ---

constexpr char kLost[] = "every thread that has not ended waits";

template <class ParkSync, class TakeSync>
void ExpectLost(const Case& c, MemoryModel model, Habits habits = {}) {
  EXPECT_EQ((Failure<ParkSync, TakeSync>(c, model, habits).rfind(kLost, 0)), 0u)
      << c.name << ", model " << static_cast<int>(model);
}

// A consumer that waits for records; and, where the ring is full, a producer
// that waits for room.
const Case& kForRecords = kCases[0];
const Case& kForRoom = kCases[4];

TEST(DoorbellInterleave, ParkingWithoutAFenceIsCaught) {
  for (const Case* c : {&kForRecords, &kForRoom}) {
    ExpectLost<WithoutFence, ModelSync>(*c, MemoryModel::kTso);
    ExpectLost<WithoutFence, ModelSync>(*c, MemoryModel::kWeak);
  }
}

TEST(DoorbellInterleave, PublishingWithoutAFenceIsCaught) {
  for (const Case* c : {&kForRecords, &kForRoom}) {
    ExpectLost<ModelSync, WithoutFence>(*c, MemoryModel::kTso);
    ExpectLost<ModelSync, WithoutFence>(*c, MemoryModel::kWeak);
  }
}

// It is the reordering that the fences are for, and nothing else.
TEST(DoorbellInterleave, WithoutReorderingNoFenceIsNeeded) {
  for (const Case& c : kCases) {
    EXPECT_EQ(
        (Failure<WithoutFence, WithoutFence>(c, MemoryModel::kSequential)), "");
  }
}

TEST(DoorbellInterleave, NotLookingAgainIsCaught) {
  // The first mark is up while the producer looks a second time, whatever its
  // habits: it takes a second mark.
  const Case kForMoreRoom = {"a full ring, more to come", 0,   4,
                             {2, 2, 2, 2, 2, 2},          {2}, true};
  for (auto model :
       {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
    ExpectLost<ModelSync, ModelSync>(kForRecords, model, {false, true});
    ExpectLost<ModelSync, ModelSync>(kForMoreRoom, model, {true, false});
  }
}

}  // namespace
}  // namespace interleave
}  // namespace shmrpc
