// The checker against the litmus tests of the literature: what each memory
// model allows, all of it, and nothing else. And that it finds what it is for.

#include "transport/memory/testing/interleave.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace interleave {
namespace {

using ::shmrpc::testing::TestSeed;
using Word = ModelSync::Atomic<uint32_t>;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kAcqRel = std::memory_order_acq_rel;

// Two words, four results.
struct Litmus {
  Word x{0};
  Word y{0};
  uint32_t r[4] = {};
};

using Body = std::function<void(Litmus*)>;

using Set = std::set<std::string>;

// All results, as "0123", and what the words hold at the end if `last`.
Set Outcomes(MemoryModel model, const std::vector<Body>& bodies,
             bool last = false, bool reduced = true) {
  Litmus litmus;
  Set outcomes;
  Program program;
  program.reset = [&] { litmus = Litmus(); };
  for (const Body& body : bodies) {
    program.threads.push_back([&litmus, body] { body(&litmus); });
  }
  program.finish = [&] {
    std::string text;
    for (uint32_t r : litmus.r) text += std::to_string(r);
    if (last) {
      text += " " + std::to_string(litmus.x.load(kRelaxed)) +
              std::to_string(litmus.y.load(kRelaxed));
    }
    outcomes.insert(text);
  };
  const Report report = reduced ? ExploreAll(program, model)
                                : ExploreAllUnreduced(program, model);
  EXPECT_EQ(report.failure, "");
  EXPECT_TRUE(report.complete);
  return outcomes;
}

TEST(Litmus, StoreBuffering) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelease);
                                      m->r[0] = m->y.load(kAcquire);
                                    },
                                    [](Litmus* m) {
                                      m->y.store(1, kRelease);
                                      m->r[1] = m->x.load(kAcquire);
                                    }};
  const Set ordered = {"0100", "1000", "1100"};
  const Set all = {"0000", "0100", "1000", "1100"};
  EXPECT_EQ(Outcomes(MemoryModel::kSequential, bodies), ordered);
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies), all);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies), all);
}

TEST(Litmus, StoreBufferingWithFences) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelaxed);
                                      ModelSync::FullFence();
                                      m->r[0] = m->y.load(kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->y.store(1, kRelaxed);
                                      ModelSync::FullFence();
                                      m->r[1] = m->x.load(kRelaxed);
                                    }};
  const Set ordered = {"0100", "1000", "1100"};
  for (auto model :
       {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
    EXPECT_EQ(Outcomes(model, bodies), ordered);
  }
}

TEST(Litmus, StoreBufferingWithOneFence) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelaxed);
                                      ModelSync::FullFence();
                                      m->r[0] = m->y.load(kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->y.store(1, kRelaxed);
                                      m->r[1] = m->x.load(kRelaxed);
                                    }};
  const Set all = {"0000", "0100", "1000", "1100"};
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies), all);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies), all);
}

// On x86 an exchange is a fence; in C++ it is not.
TEST(Litmus, StoreBufferingWithExchanges) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.exchange(1, kAcqRel);
                                      m->r[0] = m->y.load(kAcquire);
                                    },
                                    [](Litmus* m) {
                                      m->y.exchange(1, kAcqRel);
                                      m->r[1] = m->x.load(kAcquire);
                                    }};
  const Set ordered = {"0100", "1000", "1100"};
  const Set all = {"0000", "0100", "1000", "1100"};
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies), ordered);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies), all);
}

TEST(Litmus, OwnStoresAreSeenAtOnce) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelaxed);
                                      m->r[0] = m->x.load(kRelaxed);
                                      m->r[1] = m->y.load(kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->y.store(1, kRelaxed);
                                      m->r[2] = m->y.load(kRelaxed);
                                      m->r[3] = m->x.load(kRelaxed);
                                    }};
  const Set all = {"1010", "1011", "1110", "1111"};
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies), all);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies), all);
}

std::vector<Body> MessagePassing(std::memory_order store,
                                 std::memory_order load) {
  return {[store](Litmus* m) {
            m->x.store(1, kRelaxed);
            m->y.store(1, store);
          },
          [load](Litmus* m) {
            m->r[0] = m->y.load(load);
            m->r[1] = m->x.load(kRelaxed);
          }};
}

TEST(Litmus, MessagePassing) {
  const Set ordered = {"0000", "0100", "1100"};
  const Set all = {"0000", "0100", "1000", "1100"};
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, MessagePassing(kRelease, kAcquire)),
            ordered);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, MessagePassing(kRelaxed, kAcquire)),
            all);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, MessagePassing(kRelease, kRelaxed)),
            all);
  // x86 keeps the order of stores, and of loads.
  EXPECT_EQ(Outcomes(MemoryModel::kTso, MessagePassing(kRelaxed, kRelaxed)),
            ordered);
}

TEST(Litmus, MessagePassingThroughFences) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelaxed);
                                      ModelSync::FullFence();
                                      m->y.store(1, kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->r[0] = m->y.load(kRelaxed);
                                      ModelSync::FullFence();
                                      m->r[1] = m->x.load(kRelaxed);
                                    }};
  const Set ordered = {"0000", "0100", "1100"};
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies), ordered);
}

// An exchange between a release and an acquire hands the release on; a store
// does not.
TEST(Litmus, ReleaseThroughAnExchange) {
  for (const bool exchange : {true, false}) {
    const std::vector<Body> bodies = {
        [](Litmus* m) {
          m->x.store(1, kRelaxed);
          m->y.store(1, kRelease);
        },
        [exchange](Litmus* m) {
          m->r[0] = exchange ? m->y.exchange(2, kRelaxed) : m->y.load(kRelaxed);
          if (!exchange && m->r[0] == 1) m->y.store(2, kRelaxed);
        },
        [](Litmus* m) {
          m->r[1] = m->y.load(kAcquire);
          m->r[2] = m->x.load(kRelaxed);
        }};
    const Set outcomes = Outcomes(MemoryModel::kWeak, bodies);
    EXPECT_EQ(outcomes.count("1200"), exchange ? 0u : 1u);
    EXPECT_EQ(outcomes.count("1210"), 1u);
  }
}

TEST(Litmus, OneWordNeverGoesBack) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelaxed);
                                      m->x.store(2, kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->r[0] = m->x.load(kRelaxed);
                                      m->r[1] = m->x.load(kRelaxed);
                                    }};
  const Set forward = {"0000", "0100", "0200", "1100", "1200", "2200"};
  for (auto model :
       {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
    EXPECT_EQ(Outcomes(model, bodies), forward);
  }
}

// Two readers may disagree about the order of two independent stores on a weak
// machine, and never do so on x86.
TEST(Litmus, IndependentReadsOfIndependentWrites) {
  const std::vector<Body> bodies = {[](Litmus* m) { m->x.store(1, kRelease); },
                                    [](Litmus* m) { m->y.store(1, kRelease); },
                                    [](Litmus* m) {
                                      m->r[0] = m->x.load(kAcquire);
                                      m->r[1] = m->y.load(kAcquire);
                                    },
                                    [](Litmus* m) {
                                      m->r[2] = m->y.load(kAcquire);
                                      m->r[3] = m->x.load(kAcquire);
                                    }};
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies).count("1010"), 0u);
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies).size(), 15u);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies).size(), 16u);
}

// Each word's last store is the other thread's first: stores may go before
// stores that others made earlier.
TEST(Litmus, TwoTimesTwoWrites) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->x.store(1, kRelaxed);
                                      m->y.store(2, kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->y.store(1, kRelaxed);
                                      m->x.store(2, kRelaxed);
                                    }};
  const Set ordered = {"0000 12", "0000 21", "0000 22"};
  const Set all = {"0000 11", "0000 12", "0000 21", "0000 22"};
  EXPECT_EQ(Outcomes(MemoryModel::kTso, bodies, true), ordered);
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies, true), all);
}

// The one thing that is not modelled, so that nobody thinks it were: a load
// that goes behind a later store.
TEST(Litmus, LoadBufferingIsNotModelled) {
  const std::vector<Body> bodies = {[](Litmus* m) {
                                      m->r[0] = m->x.load(kRelaxed);
                                      m->y.store(1, kRelaxed);
                                    },
                                    [](Litmus* m) {
                                      m->r[1] = m->y.load(kRelaxed);
                                      m->x.store(1, kRelaxed);
                                    }};
  const Set modelled = {"0000", "0100", "1000"};
  EXPECT_EQ(Outcomes(MemoryModel::kWeak, bodies), modelled);
}

TEST(Litmus, OnlyOneExchangeTakesAValue) {
  const Body taker[2] = {
      [](Litmus* m) { m->r[0] = m->x.exchange(0, kRelaxed); },
      [](Litmus* m) { m->r[1] = m->x.exchange(0, kRelaxed); }};
  const Body maker = [](Litmus* m) { m->x.store(1, kRelaxed); };
  const Set outcomes = {"0000", "0100", "1000"};
  for (auto model :
       {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
    EXPECT_EQ(Outcomes(model, {taker[0], taker[1], maker}), outcomes);
  }
}

// --- programs by chance ---

// Threads that store, load, exchange and fence, two words. What a thread reads
// becomes the digits of its result.
std::vector<Body> BodiesByChance(std::mt19937_64* random) {
  const int threads = 2 + (*random)() % 2;
  uint32_t value = 0;
  std::vector<Body> bodies;
  for (int i = 0; i < threads; ++i) {
    std::vector<Body> steps;
    for (int n = threads == 2 ? 3 : 2; n > 0; --n) {
      const auto word = (*random)() % 2 == 0 ? &Litmus::x : &Litmus::y;
      const bool strong = (*random)() % 2 == 0;
      switch ((*random)() % 6) {
        case 0:
        case 1:
          ++value;
          steps.push_back([=](Litmus* m) {
            (m->*word).store(value, strong ? kRelease : kRelaxed);
          });
          break;
        case 2:
        case 3:
          steps.push_back([=](Litmus* m) {
            m->r[i] =
                10 * m->r[i] + (m->*word).load(strong ? kAcquire : kRelaxed);
          });
          break;
        case 4:
          ++value;
          steps.push_back([=](Litmus* m) {
            m->r[i] = 10 * m->r[i] +
                      (m->*word).exchange(value, strong ? kAcqRel : kRelaxed);
          });
          break;
        case 5:
          steps.push_back([](Litmus*) { ModelSync::FullFence(); });
          break;
      }
    }
    bodies.push_back([steps](Litmus* m) {
      for (const Body& step : steps) step(m);
    });
  }
  return bodies;
}

TEST(Litmus, ReductionsLoseNothingAndWeakerModelsAllowMore) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  for (int i = 0; i < 60; ++i) {
    const std::vector<Body> bodies = BodiesByChance(&random);
    Set stronger;
    for (auto model :
         {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
      const Set outcomes = Outcomes(model, bodies, true);
      EXPECT_EQ(outcomes, Outcomes(model, bodies, true, false)) << i;
      EXPECT_TRUE(std::includes(outcomes.begin(), outcomes.end(),
                                stronger.begin(), stronger.end()))
          << i;
      stronger = outcomes;
    }
  }
}

// --- what it finds ---

// Data handed on through a flag.
Report HandOver(MemoryModel model, std::memory_order store,
                std::memory_order load) {
  Word flag{0};
  uint64_t data = 0;
  Program program;
  program.reset = [&] {
    flag = Word(0);
    data = 0;
  };
  program.threads = {[&] {
                       Write(&data, 7);
                       flag.store(1, store);
                     },
                     [&] {
                       if (flag.load(load) != 0) Check(Read(&data) == 7, "7");
                     }};
  return ExploreAll(program, model);
}

TEST(Interleave, FindsDataRaces) {
  for (auto model :
       {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
    EXPECT_EQ(HandOver(model, kRelease, kAcquire).failure, "");
    EXPECT_NE(HandOver(model, kRelaxed, kAcquire).failure, "");
    EXPECT_NE(HandOver(model, kRelease, kRelaxed).failure, "");
  }
}

TEST(Interleave, AFailureSaysWhichStepsLedThere) {
  Word word{0};
  Program program;
  program.reset = [&] { word = Word(0); };
  program.threads = {[&] { word.store(1, kRelaxed); },
                     [&] { Check(word.load(kRelaxed) == 0, "still 0"); }};
  program.name = [](const void*) { return std::string("word"); };
  EXPECT_EQ(ExploreAll(program, MemoryModel::kTso).failure,
            "still 0\n"
            "  thread 0: store word 1\n"
            "  thread 0: its oldest store becomes visible\n"
            "  thread 1: load word 1");
}

TEST(Interleave, FindsThreadsThatWaitForEver) {
  Event event;
  Program program;
  program.reset = [] {};
  // An auto-reset event: two signals may be one.
  program.threads = {[&] {
                       event.Signal();
                       event.Signal();
                     },
                     [&] {
                       event.Wait();
                       event.Wait();
                     }};
  EXPECT_NE(ExploreAll(program, MemoryModel::kSequential).failure, "");
  program.threads[1] = [&] { event.Wait(); };
  EXPECT_EQ(ExploreAll(program, MemoryModel::kSequential).failure, "");
}

TEST(Interleave, FindsLoopsWithoutEnd) {
  Word word{0};
  Program program;
  program.reset = [&] { word = Word(0); };
  uint32_t n = 0;
  program.threads = {[&] {
    for (;;) word.store(++n, kRelaxed);
  }};
  EXPECT_NE(ExploreAll(program, MemoryModel::kSequential).failure, "");
}

TEST(Interleave, AMutexKeepsOthersOutAndHandsDataOn) {
  for (const bool locked : {true, false}) {
    Mutex mutex;
    uint64_t sum = 0;
    Program program;
    program.reset = [&] { sum = 0; };
    for (int i = 0; i < 3; ++i) {
      program.threads.push_back([&mutex, &sum, locked] {
        if (locked) mutex.Lock();
        Write(&sum, Read(&sum) + 1);
        if (locked) mutex.Unlock();
      });
    }
    program.finish = [&] { Check(Read(&sum) == 3, "three"); };
    for (auto model :
         {MemoryModel::kSequential, MemoryModel::kTso, MemoryModel::kWeak}) {
      EXPECT_EQ(ExploreAll(program, model).failure.empty(), locked);
    }
  }
}

// Two threads of n steps that do not touch: (2n)! / (n! n!) interleavings, and
// (n + 1)^2 states.
TEST(Interleave, CountsWhatItStandsFor) {
  constexpr int kSteps = 6;
  Word words[2] = {Word(0), Word(0)};
  Program program;
  program.reset = [&] { words[0] = words[1] = Word(0); };
  for (Word& word : words) {
    program.threads.push_back([&word] {
      for (int i = 0; i < kSteps; ++i) word.load(kRelaxed);
    });
  }
  const Report report = ExploreAll(program, MemoryModel::kSequential);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.interleavings, 924);
  // Without the last one, in which nothing is decided.
  EXPECT_EQ(report.states, 48u);
}

TEST(Interleave, ChanceFindsItTooAndRepeatsItself) {
  Word x{0};
  Word y{0};
  uint32_t seen[2] = {};
  Program program;
  program.reset = [&] { x = y = Word(0); };
  program.threads = {[&] {
                       x.store(1, kRelaxed);
                       seen[0] = y.load(kRelaxed);
                     },
                     [&] {
                       y.store(1, kRelaxed);
                       seen[1] = x.load(kRelaxed);
                     }};
  program.finish = [&] { Check(seen[0] + seen[1] != 0, "neither saw"); };
  const Report first = ExploreRandom(program, MemoryModel::kTso, 1, 1000);
  const Report again = ExploreRandom(program, MemoryModel::kTso, 1, 1000);
  EXPECT_NE(first.failure, "");
  EXPECT_EQ(first.failure, again.failure);
  EXPECT_EQ(first.executions, again.executions);
}

}  // namespace
}  // namespace interleave
}  // namespace shmrpc
