#include "transport/rpc/call_table.h"

#include <map>
#include <random>

#include "gtest/gtest.h"

namespace shmrpc {
namespace internal {
namespace {

TEST(CallTable, FindsWhatIsThereAndNothingElse) {
  CallTable<int> table;
  int a, b, c;
  EXPECT_TRUE(table.Insert(5, &a));
  EXPECT_TRUE(table.Insert(5 + 64, &b));  // the same place
  EXPECT_TRUE(table.Insert(0xffffffff, &c));
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.Find(5), &a);
  EXPECT_EQ(table.Find(5 + 64), &b);
  EXPECT_EQ(table.Find(0xffffffff), &c);
  EXPECT_EQ(table.Find(5 + 128), nullptr);
  EXPECT_EQ(table.Find(63), nullptr);
}

TEST(CallTable, RefusesANumberInUseWhereverItStands) {
  CallTable<int> table;
  int a, b, c;
  EXPECT_TRUE(table.Insert(5, &a));
  EXPECT_FALSE(table.Insert(5, &c));
  EXPECT_TRUE(table.Insert(5 + 64, &b));
  EXPECT_FALSE(table.Insert(5 + 64, &c));
  // Its place is free, and it stands elsewhere.
  table.Erase(5);
  EXPECT_FALSE(table.Insert(5 + 64, &c));
  EXPECT_EQ(table.Find(5 + 64), &b);
}

// Against a map, with numbers that share few places.
TEST(CallTable, DoesAsAMap) {
  CallTable<int> table;
  std::map<uint32_t, int*> model;
  std::minstd_rand random(20);
  int calls[300];
  for (int step = 0; step < 200000; ++step) {
    const uint32_t number = random() % 300;
    const uint32_t id = number % 7 + number / 7 * 64;
    switch (random() % 3) {
      case 0:
        EXPECT_EQ(table.Insert(id, &calls[number]),
                  model.emplace(id, &calls[number]).second);
        break;
      case 1:
        table.Erase(id);
        model.erase(id);
        break;
      default: {
        const auto known = model.find(id);
        EXPECT_EQ(table.Find(id),
                  known == model.end() ? nullptr : known->second);
      }
    }
    ASSERT_EQ(table.size(), model.size());
  }
  std::map<uint32_t, int*> visited;
  table.ForEach([&](uint32_t id, int* call) {
    EXPECT_TRUE(visited.emplace(id, call).second);
  });
  EXPECT_EQ(visited, model);
  table.Clear();
  EXPECT_EQ(table.size(), 0u);
  for (const auto& known : model) EXPECT_EQ(table.Find(known.first), nullptr);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
