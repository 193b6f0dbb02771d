// What holds on every system: a watch may be had of every object, says nothing
// for nothing, and a view that has faulted can be made good.

#include "transport/platform/shrink_watch.h"

#include <atomic>
#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "transport/platform/guard.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::UniqueName;

constexpr uint64_t kSize = 64 << 10;

struct Mapped {
  Mapped()
      : name{Scope::kLocal, UniqueName("shmrpc-test.shrink")},
        mapping(NamedMapping::Create(name, kSize, {}).value()),
        view(mapping.Map(0, kSize, Access::kReadWrite).value()) {}

  bool Store(uint64_t index, uint8_t value) {
    return Guarded(view, [&] {
      *static_cast<volatile uint8_t*>(view.data() + index) = value;
    });
  }

  ObjectName name;
  NamedMapping mapping;
  View view;
};

TEST(ShrinkWatch, OfAnObjectNobodyTruncatesStartsAndEnds) {
  Mapped mapped;
  std::atomic<int> calls{0};
  for (int i = 0; i < 3; ++i) {
    auto watch = ShrinkWatch::Start(mapped.mapping, [&] { ++calls; });
    ASSERT_TRUE(watch.ok()) << watch.status();
    EXPECT_TRUE(mapped.Store(0, 1));
  }
  EXPECT_EQ(calls.load(), 0);
  EXPECT_EQ(mapped.mapping.SizeNowBytes(), kSize);
  EXPECT_TRUE(mapped.mapping.Regrow().ok());
}

TEST(Restore, ViewThatFaultedCanBeUsedAgain) {
  Mapped mapped;
  uint8_t* const where = mapped.view.data();
  for (int i = 0; i < 3; ++i) {
    MakeViewFault(mapped.name, mapped.view);
    ASSERT_FALSE(mapped.Store(kSize - 1, 7));
    ASSERT_TRUE(mapped.view.poisoned());
    ASSERT_TRUE(mapped.mapping.Regrow().ok());
    ASSERT_EQ(mapped.mapping.SizeNowBytes(), kSize);
    const absl::Status restored = mapped.mapping.Restore(mapped.view);
    ASSERT_TRUE(restored.ok()) << restored;
    EXPECT_FALSE(mapped.view.poisoned());
    EXPECT_EQ(mapped.view.data(), where);
    EXPECT_TRUE(mapped.Store(kSize - 1, 8));
  }
  // It is the object that is mapped there, not zeros of this process's own.
  auto other = mapped.mapping.Map(0, kSize, Access::kReadOnly);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other->data()[kSize - 1], 8);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
