// Conformance of process identity, and of being told of deaths.

#include "transport/platform/process.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::Notification;
using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::SelfExecutable;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;

SHMRPC_TEST_ROLE(idler) {
  const ProcessId self = CurrentProcess();
  SendLine(absl::StrCat(self.pid, " ", self.start_time));
  std::string line;
  ReceiveLine(&line);
  return 0;
}

struct Idler {
  Idler() : process(SpawnRole("idler")), line(process.ReadLine().value()) {
    id = ProcessWithPid(process.pid()).value();
  }
  void Kill() {
    process.Kill();
    process.Wait();
  }
  Subprocess process;
  std::string line;
  ProcessId id;
};

TEST(Process, OwnIdentityIsTheOneOthersSee) {
  Idler child;
  EXPECT_EQ(child.line, absl::StrCat(child.id.pid, " ", child.id.start_time));
  EXPECT_EQ(child.id.pid, child.process.pid());
  EXPECT_NE(child.id.start_time, 0u);
  const ProcessId self = CurrentProcess();
  EXPECT_TRUE(ProcessWithPid(self.pid).value() == self);
  EXPECT_FALSE(child.id == self);
}

TEST(Process, LivingIsAliveUntilKilled) {
  EXPECT_TRUE(IsAlive(CurrentProcess()));
  Idler child;
  EXPECT_TRUE(IsAlive(child.id));
  child.Kill();
  EXPECT_FALSE(IsAlive(child.id));
}

TEST(Process, OtherStartTimeIsAnotherProcess) {
  ProcessId recycled = CurrentProcess();
  recycled.start_time += 1;
  EXPECT_FALSE(IsAlive(recycled));
}

TEST(Process, NobodysPidIsNotFound) {
  // A multiple of 4, as Windows' are; above the default limit of Linux.
  constexpr uint32_t kNobody = 0x7ffffff0;
  EXPECT_EQ(ProcessWithPid(kNobody).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ProcessWithPid(kNobody).status().message()),
              HasSubstr("2147483632"));
  EXPECT_EQ(KillProcess(kNobody).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(IsAlive({kNobody, 1}));
  EXPECT_FALSE(IsAlive(ProcessId()));
  EXPECT_EQ(DeathWatch::Start({kNobody, 1}, [] {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(DeathWatch::Start(ProcessId(), [] {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ProcessName(kNobody), "");
}

TEST(Process, NameIsTheLastPartOfTheExecutable) {
  const std::string name = ProcessName(CurrentProcess().pid);
  EXPECT_FALSE(name.empty());
  EXPECT_EQ(name.find_first_of("/\\"), std::string::npos) << name;
  EXPECT_TRUE(absl::EndsWith(SelfExecutable(), name)) << name;
  Idler child;
  EXPECT_EQ(ProcessName(child.id.pid), name);
}

TEST(Process, KillProcessEndsIt) {
  Idler child;
  EXPECT_TRUE(KillProcess(child.id.pid).ok());
  EXPECT_FALSE(child.process.Wait().ok());
  EXPECT_FALSE(IsAlive(child.id));
}

TEST(DeathWatch, KilledProcessIsReportedOnce) {
  Watchdog dog;
  Idler child;
  std::atomic<int> calls{0};
  Notification dead;
  auto watch = DeathWatch::Start(child.id, [&] {
    if (++calls == 1) dead.Notify();
  });
  ASSERT_TRUE(watch.ok()) << watch.status();
  EXPECT_EQ(calls, 0);
  child.Kill();
  dead.Wait();
  watch->reset();
  EXPECT_EQ(calls, 1);
}

TEST(DeathWatch, ProcessThatEndsByItselfIsReported) {
  Watchdog dog;
  Idler child;
  Notification dead;
  auto watch = DeathWatch::Start(child.id, [&] { dead.Notify(); });
  ASSERT_TRUE(watch.ok()) << watch.status();
  child.process.CloseStdin();
  dead.Wait();
  EXPECT_FALSE(IsAlive(child.id));
}

TEST(DeathWatch, EndedButUnreapedIsReportedSoon) {
  Watchdog dog;
  Idler child;
  child.process.CloseStdin();
  while (IsAlive(child.id)) std::this_thread::yield();
  // Ended, and not waited for: the child still has its pid.
  Notification dead;
  auto watch = DeathWatch::Start(child.id, [&] { dead.Notify(); });
  ASSERT_TRUE(watch.ok()) << watch.status();
  dead.Wait();
}

TEST(DeathWatch, RecycledPidIsNotFound) {
  Idler child;
  ProcessId earlier = child.id;
  earlier.start_time -= 1;
  EXPECT_EQ(DeathWatch::Start(earlier, [] {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(DeathWatch, DestroyedBeforeTheDeathIsNotCalled) {
  Watchdog dog;
  Idler child;
  std::atomic<bool> called{false};
  auto dropped = DeathWatch::Start(child.id, [&] { called = true; });
  ASSERT_TRUE(dropped.ok());
  dropped->reset();
  Notification dead;
  auto kept = DeathWatch::Start(child.id, [&] { dead.Notify(); });
  ASSERT_TRUE(kept.ok());
  child.Kill();
  dead.Wait();
  kept->reset();
  EXPECT_FALSE(called);
}

TEST(DeathWatch, DestructorWaitsForARunningCallback) {
  Watchdog dog;
  for (int round = 0; round < 20; ++round) {
    Idler child;
    Notification started;
    std::atomic<bool> finished{false};
    auto watch = DeathWatch::Start(child.id, [&] {
      started.Notify();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      finished = true;
    });
    ASSERT_TRUE(watch.ok());
    child.Kill();
    started.Wait();
    watch->reset();
    EXPECT_TRUE(finished);
  }
}

TEST(DeathWatch, CallbackMayDestroyItsOwnWatch) {
  Watchdog dog;
  Idler child;
  Notification ready;
  Notification dead;
  std::unique_ptr<DeathWatch> watch;
  auto started = DeathWatch::Start(child.id, [&] {
    ready.Wait();
    watch.reset();
    dead.Notify();
  });
  ASSERT_TRUE(started.ok());
  watch = *std::move(started);
  ready.Notify();
  child.Kill();
  dead.Wait();
  EXPECT_EQ(watch, nullptr);
}

TEST(DeathWatch, CallbackMayWatchAnother) {
  Watchdog dog;
  Idler first;
  Idler second;
  Notification first_dead;
  Notification second_dead;
  absl::StatusOr<std::unique_ptr<DeathWatch>> second_watch;
  auto first_watch = DeathWatch::Start(first.id, [&] {
    second_watch = DeathWatch::Start(second.id, [&] { second_dead.Notify(); });
    first_dead.Notify();
  });
  ASSERT_TRUE(first_watch.ok());
  first.Kill();
  first_dead.Wait();
  ASSERT_TRUE(second_watch.ok()) << second_watch.status();
  second.Kill();
  second_dead.Wait();
}

TEST(DeathWatch, WatchedOnceMoreIsReported) {
  Watchdog dog;
  // More than are remembered when nobody watches them any more.
  constexpr int kProcesses = 20;
  std::vector<Idler> children(kProcesses);
  for (const Idler& child : children) {
    for (int i = 0; i < 2; ++i) {
      auto watch = DeathWatch::Start(
          child.id, [] { ADD_FAILURE() << "nobody has died"; });
      ASSERT_TRUE(watch.ok()) << watch.status();
    }
  }
  for (Idler& child : children) {
    EXPECT_TRUE(IsAlive(child.id));
    Notification dead;
    auto watch = DeathWatch::Start(child.id, [&] { dead.Notify(); });
    ASSERT_TRUE(watch.ok()) << watch.status();
    child.Kill();
    dead.Wait();
    EXPECT_FALSE(IsAlive(child.id));
  }
}

TEST(DeathWatch, ProcessNobodyWatchesAnyMoreIsSeenDead) {
  Watchdog dog;
  Idler child;
  ASSERT_TRUE(DeathWatch::Start(child.id, [] {}).ok());
  EXPECT_TRUE(IsAlive(child.id));
  child.Kill();
  child.process.Wait();
  EXPECT_FALSE(IsAlive(child.id));
}

// More than the 64 handles that one Windows thread can wait for.
TEST(DeathWatch, HundredsOfWatchesAreAllCalled) {
  Watchdog dog;
  Idler child;
  std::atomic<int> calls{0};
  Notification all;
  constexpr int kWatches = 300;
  std::vector<std::unique_ptr<DeathWatch>> watches;
  for (int i = 0; i < kWatches; ++i) {
    auto watch = DeathWatch::Start(child.id, [&] {
      if (++calls == kWatches) all.Notify();
    });
    ASSERT_TRUE(watch.ok()) << watch.status();
    watches.push_back(*std::move(watch));
  }
  child.Kill();
  all.Wait();
  watches.clear();
  EXPECT_EQ(calls, kWatches);
}

// Watches come and go while deaths are reported.
TEST(DeathWatch, DestructionRacingTheDeathIsSound) {
  Watchdog dog;
  for (int round = 0; round < 20; ++round) {
    Idler child;
    std::vector<std::unique_ptr<DeathWatch>> watches;
    std::vector<std::unique_ptr<std::atomic<bool>>> gone;
    for (int i = 0; i < 50; ++i) {
      gone.push_back(std::make_unique<std::atomic<bool>>(false));
      watches.push_back(DeathWatch::Start(child.id, [flag = gone.back().get()] {
                          EXPECT_FALSE(*flag);
                        }).value());
    }
    child.process.Kill();
    for (int i = 0; i < 50; ++i) {
      watches[i].reset();
      *gone[i] = true;
    }
    child.process.Wait();
  }
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
