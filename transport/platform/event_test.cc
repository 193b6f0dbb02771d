// Conformance of Event and Waiter, within a process and across.

#include "transport/platform/event.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::RoleArgs;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

constexpr int64_t kMs = 1000000;

// Shared memory with two words, and an event on each: one per direction.
struct Shared {
  static Shared Create() {
    Shared shared;
    shared.name = {Scope::kLocal, UniqueName("shmrpc-test.event")};
    shared.mapping = NamedMapping::Create(shared.name, 4096, {}).value();
    shared.MapView();
    for (int i = 0; i < 2; ++i) {
      shared.events[i] =
          Event::Create(shared.EventName(i), shared.Word(i), {}).value();
    }
    return shared;
  }
  static Shared Open(const std::string& name) {
    Shared shared;
    shared.name = {Scope::kLocal, name};
    shared.mapping = NamedMapping::Open(shared.name, {}).value();
    shared.MapView();
    for (int i = 0; i < 2; ++i) {
      shared.events[i] =
          Event::Open(shared.EventName(i), shared.Word(i)).value();
    }
    return shared;
  }

  void MapView() { view = mapping.Map(0, 4096, Access::kReadWrite).value(); }
  ObjectName EventName(int i) const {
    return name.WithSuffix(absl::StrCat(".event", i));
  }
  std::atomic<uint32_t>* Word(int i) {
    return reinterpret_cast<std::atomic<uint32_t>*>(view.data()) + 16 * i;
  }
  // State beside the events: what an event's hint is about.
  std::atomic<uint32_t>* Turn() {
    return reinterpret_cast<std::atomic<uint32_t>*>(view.data()) + 64;
  }

  ObjectName name;
  NamedMapping mapping;
  View view;
  Event events[2];
};

TEST(Event, SignalBeforeTheWaitIsKeptAndTakenOnce) {
  Watchdog dog;
  Shared shared = Shared::Create();
  Waiter waiter;
  shared.events[0].Signal();
  shared.events[0].Signal();
  EXPECT_EQ(waiter.Wait(&shared.events[0], kNever), WaitResult::kSignaled);
  EXPECT_EQ(waiter.Wait(&shared.events[0], 0), WaitResult::kTimeout);
}

TEST(Event, OtherEventsSignalIsNotTaken) {
  Shared shared = Shared::Create();
  Waiter waiter;
  shared.events[1].Signal();
  EXPECT_EQ(waiter.Wait(&shared.events[0], 0), WaitResult::kTimeout);
  EXPECT_EQ(waiter.Wait(&shared.events[1], 0), WaitResult::kSignaled);
}

TEST(Event, MovedEventIsTheSame) {
  Shared shared = Shared::Create();
  Event moved = std::move(shared.events[0]);
  moved.Signal();
  shared.events[1] = std::move(moved);
  Waiter waiter;
  EXPECT_EQ(waiter.Wait(&shared.events[1], 0), WaitResult::kSignaled);
}

TEST(Waiter, TimeoutComesNotBeforeTheDeadline) {
  Watchdog dog;
  Shared shared = Shared::Create();
  Waiter waiter;
  for (const int64_t wait_ns : {int64_t{0}, kMs / 10, kMs, 20 * kMs}) {
    for (Event* event : {&shared.events[0], static_cast<Event*>(nullptr)}) {
      const int64_t deadline_ns = MonotonicNowNs() + wait_ns;
      EXPECT_EQ(waiter.Wait(event, deadline_ns), WaitResult::kTimeout);
      EXPECT_GE(MonotonicNowNs(), deadline_ns);
    }
  }
}

TEST(Waiter, DeadlineInThePastTimesOutAtOnce) {
  Watchdog dog;
  Waiter waiter;
  EXPECT_EQ(waiter.Wait(nullptr, 0), WaitResult::kTimeout);
  EXPECT_EQ(waiter.Wait(nullptr, -5), WaitResult::kTimeout);
  EXPECT_EQ(waiter.Wait(nullptr, INT64_MIN), WaitResult::kTimeout);
}

TEST(Waiter, SignalBeatsAPastDeadline) {
  Shared shared = Shared::Create();
  Waiter waiter;
  shared.events[0].Signal();
  EXPECT_EQ(waiter.Wait(&shared.events[0], 0), WaitResult::kSignaled);
}

TEST(Waiter, InterruptBeforeTheWaitIsTakenOnceAndFirst) {
  Watchdog dog;
  Shared shared = Shared::Create();
  Waiter waiter;
  shared.events[0].Signal();
  waiter.Interrupt();
  waiter.Interrupt();
  EXPECT_EQ(waiter.Wait(&shared.events[0], kNever), WaitResult::kInterrupted);
  EXPECT_EQ(waiter.Wait(&shared.events[0], kNever), WaitResult::kSignaled);
  EXPECT_EQ(waiter.Wait(&shared.events[0], 0), WaitResult::kTimeout);
}

// Each round ends the other thread's wait, which has or has not begun yet.
TEST(Waiter, InterruptsFromAnotherThreadAllArrive) {
  Watchdog dog;
  Shared shared = Shared::Create();
  for (Event* event : {&shared.events[0], static_cast<Event*>(nullptr)}) {
    Waiter here;
    Waiter there;
    constexpr int kRounds = 2000;
    std::thread thread([&] {
      for (int i = 0; i < kRounds; ++i) {
        EXPECT_EQ(there.Wait(event, kNever), WaitResult::kInterrupted);
        here.Interrupt();
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      there.Interrupt();
      EXPECT_EQ(here.Wait(nullptr, kNever), WaitResult::kInterrupted);
    }
    thread.join();
  }
}

TEST(Waiter, SignalsFromAnotherThreadAllArrive) {
  Watchdog dog;
  Shared shared = Shared::Create();
  constexpr int kRounds = 2000;
  std::thread thread([&] {
    Waiter waiter;
    for (int i = 0; i < kRounds; ++i) {
      EXPECT_EQ(waiter.Wait(&shared.events[0], kNever), WaitResult::kSignaled);
      shared.events[1].Signal();
    }
  });
  Waiter waiter;
  for (int i = 0; i < kRounds; ++i) {
    shared.events[0].Signal();
    EXPECT_EQ(waiter.Wait(&shared.events[1], kNever), WaitResult::kSignaled);
  }
  thread.join();
}

// Answers on event 1 whatever is said on event 0: args[1] times.
SHMRPC_TEST_ROLE(answerer) {
  Shared shared = Shared::Open(args.at(0));
  int rounds = 0;
  if (!absl::SimpleAtoi(args.at(1), &rounds)) return 2;
  SendLine("ready");
  Waiter waiter;
  for (int i = 0; i < rounds; ++i) {
    const uint32_t expected = 2 * static_cast<uint32_t>(i) + 1;
    // The state tells, not the event.
    while (shared.Turn()->load(std::memory_order_acquire) != expected) {
      if (waiter.Wait(&shared.events[0], kNever) != WaitResult::kSignaled) {
        return 3;
      }
    }
    shared.Turn()->store(expected + 1, std::memory_order_release);
    shared.events[1].Signal();
  }
  return 0;
}

TEST(EventProcesses, PingPongLosesNoSignal) {
  Watchdog dog;
  Shared shared = Shared::Create();
  constexpr int kRounds = 1000;
  Subprocess answerer =
      SpawnRole("answerer", {shared.name.name, absl::StrCat(kRounds)});
  ASSERT_EQ(answerer.ReadLine(), "ready");
  Waiter waiter;
  for (int i = 0; i < kRounds; ++i) {
    const uint32_t turn = 2 * static_cast<uint32_t>(i) + 1;
    shared.Turn()->store(turn, std::memory_order_release);
    shared.events[0].Signal();
    while (shared.Turn()->load(std::memory_order_acquire) != turn + 1) {
      ASSERT_EQ(waiter.Wait(&shared.events[1], kNever), WaitResult::kSignaled);
    }
  }
  EXPECT_TRUE(answerer.Wait().ok());
}

SHMRPC_TEST_ROLE(sleeper) {
  Shared shared = Shared::Open(args.at(0));
  Waiter waiter;
  SendLine("ready");
  return waiter.Wait(&shared.events[0], kNever) == WaitResult::kSignaled ? 0
                                                                         : 1;
}

TEST(EventProcesses, SleeperKilledLeavesTheEventUsable) {
  Watchdog dog;
  Shared shared = Shared::Create();
  Subprocess killed = SpawnRole("sleeper", {shared.name.name});
  ASSERT_EQ(killed.ReadLine(), "ready");
  killed.Kill();
  killed.Wait();
  Subprocess sleeper = SpawnRole("sleeper", {shared.name.name});
  ASSERT_EQ(sleeper.ReadLine(), "ready");
  shared.events[0].Signal();
  EXPECT_TRUE(sleeper.Wait().ok());
}

TEST(Event, BadNameIsInvalid) {
  std::atomic<uint32_t> word{0};
  EXPECT_EQ(Event::Create({Scope::kLocal, "a\\b"}, &word, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Event::Open({Scope::kLocal, ""}, &word).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
