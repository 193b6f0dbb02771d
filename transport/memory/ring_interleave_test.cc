// The shipped ring in all interleavings of its two sides, and in many by
// chance: every record once, in order, whole. And that each thing it is made of
// is needed: without it, the same exploration fails.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/memory/testing/interleave.h"
#include "transport/memory/testing/model_ring.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace interleave {
namespace {

using ::shmrpc::testing::TestSeed;

struct Case {
  const char* name;
  uint64_t at;      // the unit where the ring stands at first
  uint64_t filled;  // so many records are in it
  std::vector<uint64_t> units;
  int pushes;  // the producer tries
  int takes;   // the consumer tries
};

// What the threads leave undone, since they tried in vain, is done afterwards.
template <class ProducerSync, class ConsumerSync>
Report Explore(const Case& c, MemoryModel model, bool publish_first = false,
               const uint64_t* seed = nullptr, uint64_t executions = 0) {
  ModelRing<ProducerSync, ConsumerSync> ring(c.units);
  const auto give_back = [&] { ring.consumer().GiveBack(); };
  Program program;
  program.reset = [&] { ring.Reset(c.at, c.filled); };
  program.threads = {[&] {
                       for (int i = 0; i < c.pushes && !ring.AllPushed(); ++i) {
                         ring.TryPush(publish_first);
                       }
                     },
                     [&] {
                       for (int i = 0; i < c.takes && !ring.AllTaken(); ++i) {
                         ring.Next(give_back);
                       }
                     }};
  program.finish = [&] {
    for (uint64_t i = 0; i < 2 * c.units.size(); ++i) {
      while (!ring.AllPushed() && ring.TryPush()) {
      }
      while (ring.Next(give_back)) {
      }
      if (ring.consumer().HasTaken()) give_back();
    }
    Check(ring.AllTaken(), "a record is lost");
  };
  program.name = [&](const void* address) { return ring.Name(address); };
  return seed != nullptr ? ExploreRandom(program, model, *seed, executions)
                         : ExploreAll(program, model);
}

Report ExploreShipped(const Case& c, MemoryModel model) {
  return Explore<ModelSync, ModelSync>(c, model);
}

// Padding: two units do not fit behind unit 6, nor where nothing was consumed.
const Case kCases[] = {
    {"an empty ring", 0, 0, {1, 2, 1}, 3, 4},
    {"over the end", 6, 0, {1, 1, 2, 1}, 4, 5},
    {"padding", 7, 0, {2, 1, 2}, 3, 4},
    {"full, then padding", 5, 4, {2, 2, 2, 1, 2, 1}, 4, 5},
    {"full, one by one", 4, 5, {2, 2, 2, 1, 1, 1, 1, 1}, 4, 6},
};

TEST(RingInterleave, EveryInterleavingDeliversEveryRecordOnceInOrder) {
  for (const Case& c : kCases) {
    for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
      const Report report = ExploreShipped(c, model);
      PrintExplored(c.name, model, report);
      EXPECT_TRUE(report.failure.empty()) << report.failure;
      EXPECT_TRUE(report.complete);
    }
  }
}

TEST(RingInterleave, ByChanceWithManyRecords) {
  TestSeed seed;
  const uint64_t executions = RandomExecutions(2000);
  std::mt19937_64 random(seed.value());
  std::vector<uint64_t> units;
  for (int i = 0; i < 40; ++i) units.push_back(1 + random() % 2);
  const Case c = {
      "40 records by chance", random() % kModelRingUnits, 0, units, 200, 300};
  for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
    const uint64_t value = seed.value();
    const Report report =
        Explore<ModelSync, ModelSync>(c, model, false, &value, executions);
    PrintExplored(c.name, model, report);
    EXPECT_TRUE(report.failure.empty()) << report.failure;
  }
  std::cout << "SHMRPC_TEST_SEED=" << seed.value() << std::endl;
}

// --- broken ---

// `reason`: how one of the cases has to fail.
template <class ProducerSync, class ConsumerSync>
void ExpectCaught(const std::string& reason, bool publish_first = false) {
  for (auto model : {MemoryModel::kTso, MemoryModel::kWeak}) {
    std::string failures;
    for (const Case& c : kCases) {
      const Report report =
          Explore<ProducerSync, ConsumerSync>(c, model, publish_first);
      // Its first line: the steps come below.
      failures += report.failure.substr(0, report.failure.find('\n')) + "\n";
    }
    EXPECT_NE(failures.find(reason), std::string::npos)
        << "model " << static_cast<int>(model) << "\n"
        << failures;
  }
}

TEST(RingInterleave, PublishingBeforeTheBodyIsCaught) {
  ExpectCaught<ModelSync, ModelSync>("a data race", true);
}

TEST(RingInterleave, PublishingWithoutReleaseIsCaught) {
  ExpectCaught<RelaxedStores, ModelSync>("a data race");
}

TEST(RingInterleave, PeekingWithoutAcquireIsCaught) {
  ExpectCaught<ModelSync, RelaxedLoads>("a data race");
}

TEST(RingInterleave, ReservingWithoutAcquireIsCaught) {
  ExpectCaught<RelaxedLoads, ModelSync>("a data race");
}

TEST(RingInterleave, GivingBackWithoutReleaseIsCaught) {
  ExpectCaught<ModelSync, RelaxedStores>("a data race");
}

TEST(RingInterleave, GivingBackWithoutZeroingIsCaught) {
  ExpectCaught<ModelSync, WithoutZeroing>("another record's");
}

TEST(RingInterleave, GivingBackBeforeZeroingIsCaught) {
  ExpectCaught<ModelSync, LateZeroing>("a record is lost");
}

}  // namespace
}  // namespace interleave
}  // namespace shmrpc
