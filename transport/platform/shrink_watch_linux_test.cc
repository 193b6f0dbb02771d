// Truncation (Linux): who watches is told, at once and not too often; who
// sleeps on a word of the object is woken by it again once it is whole.

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/guard.h"
#include "transport/platform/shrink_watch.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::Notification;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

constexpr uint64_t kSize = 4096;

struct Mapped {
  Mapped()
      : name{Scope::kLocal, UniqueName("shmrpc-test.shrink")},
        mapping(NamedMapping::Create(name, kSize, {}).value()),
        view(mapping.Map(0, kSize, Access::kReadWrite).value()) {}

  void Truncate() { ASSERT_EQ(truncate(name.OsName().c_str(), 0), 0); }
  std::atomic<uint32_t>* word() const {
    return reinterpret_cast<std::atomic<uint32_t>*>(view.data());
  }

  ObjectName name;
  NamedMapping mapping;
  View view;
};

std::unique_ptr<ShrinkWatch> Watch(const Mapped& mapped,
                                   std::function<void()> on_change) {
  return ShrinkWatch::Start(mapped.mapping, std::move(on_change)).value();
}

TEST(ShrinkWatchLinux, TruncationIsToldAndAStoreIsNot) {
  Watchdog dog(30, "a watch that is told of a truncation");
  Mapped stored;
  Mapped truncated;
  std::atomic<int> stores{0};
  Notification told;
  auto watch_stored = Watch(stored, [&] { ++stores; });
  auto watch_truncated = Watch(truncated, [&] { told.Notify(); });
  for (uint32_t i = 0; i < 100; ++i) stored.word()->store(i);
  truncated.Truncate();
  told.Wait();  // events come in order
  EXPECT_EQ(stores.load(), 0);
  EXPECT_EQ(truncated.mapping.SizeNowBytes(), 0u);
  EXPECT_EQ(truncated.mapping.Restore(truncated.view).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ShrinkWatchLinux, EveryWatchOfAnObjectIsToldUntilItIsDestroyed) {
  Watchdog dog(30, "two watches of one object");
  Mapped mapped;
  std::atomic<int> first{0};
  std::atomic<int> second{0};
  auto watch_first = Watch(mapped, [&] { ++first; });
  auto watch_second = Watch(mapped, [&] { ++second; });
  mapped.Truncate();
  while (first.load() == 0 || second.load() == 0) std::this_thread::yield();
  watch_first.reset();
  const int before = first.load();
  const int second_before = second.load();
  ASSERT_TRUE(mapped.mapping.Regrow().ok());
  mapped.Truncate();
  while (second.load() == second_before) std::this_thread::yield();
  EXPECT_EQ(first.load(), before);
}

TEST(ShrinkWatchLinux, TruncationsWithoutEndAreToldTenTimesASecond) {
  Watchdog dog(30, "a watch of an object truncated all the time");
  Mapped mapped;
  std::atomic<int> calls{0};
  auto watch = Watch(mapped, [&] { ++calls; });
  const int64_t start_ns = MonotonicNowNs();
  while (calls.load() < 4) {
    mapped.Truncate();
    ASSERT_TRUE(mapped.mapping.Regrow().ok());
  }
  const int64_t tenths = (MonotonicNowNs() - start_ns) / (100 * 1000 * 1000);
  EXPECT_LE(calls.load(), tenths + 1);
}

// The kernel finds sleepers by the file and the offset in it.
TEST(ShrinkWatchLinux, SleeperIsWokenThroughTheRegrownObject) {
  Watchdog dog(30, "a sleeper on a word that was cut off for a while");
  Mapped mapped;
  Event slept_on = Event::Open(mapped.name, mapped.word()).value();
  Waiter waiter;
  std::atomic<bool> woken{false};
  std::thread sleeper([&] {
    // Not asleep yet when the word went: then it finds it gone, and comes
    // again.
    while (waiter.Wait(&slept_on, kNever) != WaitResult::kSignaled) {
      std::this_thread::yield();
    }
    woken.store(true);
  });
  // Asleep, most times, by the truncation: either way it must end.
  std::this_thread::yield();
  mapped.Truncate();
  ASSERT_TRUE(mapped.mapping.Regrow().ok());
  auto other = mapped.mapping.Map(0, kSize, Access::kReadWrite);
  ASSERT_TRUE(other.ok());
  Event event =
      Event::Open(mapped.name,
                  reinterpret_cast<std::atomic<uint32_t>*>(other->data()))
          .value();
  while (!woken.load()) {
    event.Signal();
    std::this_thread::yield();
  }
  sleeper.join();
}

// Others fault in the view while it is made good again and again: when all is
// quiet it is either whole or says that it is not.
TEST(ShrinkWatchLinux, RestoreBesideFaultsLeavesNoViewOfZerosThatPassesForIt) {
  Mapped mapped;
  std::atomic<bool> stop{false};
  std::vector<std::thread> touchers;
  for (int i = 0; i < 3; ++i) {
    touchers.emplace_back([&] {
      while (!stop.load()) {
        Guarded(mapped.view, [&] { (void)mapped.word()->load(); });
      }
    });
  }
  for (uint32_t i = 1; i <= 20000; ++i) {
    mapped.Truncate();
    ASSERT_TRUE(mapped.mapping.Regrow().ok());
    if (mapped.view.poisoned()) {
      ASSERT_TRUE(mapped.mapping.Restore(mapped.view).ok());
    }
  }
  stop.store(true);
  for (std::thread& t : touchers) t.join();
  if (mapped.view.poisoned()) {
    ASSERT_TRUE(mapped.mapping.Restore(mapped.view).ok());
  }
  mapped.word()->store(42);
  auto other = mapped.mapping.Map(0, kSize, Access::kReadOnly);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(*reinterpret_cast<const uint32_t*>(other->data()), 42u);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
