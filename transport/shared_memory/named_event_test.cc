// Events: signals, time-outs, several threads, several processes.

#include "shmrpc/named_event.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shared_memory.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::TestName;
using ::shmrpc::testing::Watchdog;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;

TEST(NamedEvent, SignalBeforeTheWaitIsKeptAndTakenOnce) {
  Watchdog dog;
  const TestName name("kept");
  auto event = NamedEvent::Create(name);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_TRUE(event->created());
  EXPECT_EQ(event->name(), name.local());
  EXPECT_EQ(event->Wait(seconds(0)).code(), kTimeout);
  EXPECT_TRUE(event->Signal().ok());
  EXPECT_TRUE(event->Signal().ok());
  EXPECT_TRUE(event->Wait().ok());
  EXPECT_EQ(event->Wait(seconds(0)), absl::DeadlineExceededError(absl::StrCat(
                                         "wait for event \"", name.local(),
                                         "\": nobody signalled it in time")));
}

TEST(NamedEvent, OpenedEventIsTheSame) {
  Watchdog dog;
  const TestName name("same");
  auto created = NamedEvent::CreateOrOpen(name);
  auto opened = NamedEvent::CreateOrOpen(name.local());
  auto again = NamedEvent::Open(name);
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(created->created());
  EXPECT_FALSE(opened->created());
  EXPECT_FALSE(again->created());
  EXPECT_TRUE(opened->Signal().ok());
  EXPECT_TRUE(created->Wait().ok());
  EXPECT_EQ(again->Wait(seconds(0)).code(), kTimeout);
}

TEST(NamedEvent, NameThatIsTakenOrMissingIsExplained) {
  const TestName name("errors");
  const auto missing = NamedEvent::Open(name);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      std::string(missing.status().message()),
      AllOf(HasSubstr(absl::StrCat("open event \"", name.local(), "\": ")),
            HasSubstr("no living process holds it")));
  auto event = NamedEvent::Create(name);
  ASSERT_TRUE(event.ok()) << event.status();
  const auto taken = NamedEvent::Create(name);
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(
      std::string(taken.status().message()),
      AllOf(HasSubstr(absl::StrCat("create event \"", name.local(), "\": ")),
            HasSubstr("or use CreateOrOpen to share it")));
  EXPECT_EQ(NamedEvent::Create("a b").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NamedEvent::Open("").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(NamedEvent, MemorysNameIsRefused) {
  const TestName name("kinds");
  auto memory = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(NamedEvent::Create(name).status().code(),
            absl::StatusCode::kAlreadyExists);
  const auto opened = NamedEvent::Open(name);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(opened.status().message()),
      AllOf(HasSubstr(absl::StrCat("open event \"", name.local(), "\": ")),
            HasSubstr("share one space of names")));
  EXPECT_EQ(NamedEvent::CreateOrOpen(name).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(NamedEvent, LastHolderFreesTheName) {
  const TestName name("freed");
  auto created = NamedEvent::Create(name);
  auto opened = NamedEvent::Open(name);
  ASSERT_TRUE(opened.ok()) << opened.status();
  created = NamedEvent();
  EXPECT_TRUE(NamedEvent::Open(name).ok());
  opened = NamedEvent();
  EXPECT_EQ(NamedEvent::Open(name).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(name.plain()), IsEmpty());
}

TEST(NamedEvent, TimeoutComesNotBeforeItsTime) {
  Watchdog dog;
  auto event = NamedEvent::Create(TestName("timeout"));
  ASSERT_TRUE(event.ok()) << event.status();
  for (const auto timeout : {milliseconds(1), milliseconds(30)}) {
    auto start = steady_clock::now();
    EXPECT_EQ(event->Wait(timeout).code(), kTimeout);
    EXPECT_GE(steady_clock::now() - start, timeout);
    start = steady_clock::now();
    EXPECT_EQ(event->WaitUntil(start + timeout).code(), kTimeout);
    EXPECT_GE(steady_clock::now() - start, timeout);
    start = steady_clock::now();
    EXPECT_EQ(event->WaitUntil(system_clock::now() + timeout).code(), kTimeout);
    EXPECT_GE(steady_clock::now() - start + milliseconds(1), timeout);
  }
}

TEST(NamedEvent, TimesThatArePastTimeOutAtOnce) {
  Watchdog dog;
  auto event = NamedEvent::Create(TestName("past"));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->Wait(seconds(-5)).code(), kTimeout);
  EXPECT_EQ(event->Wait(std::chrono::hours::min()).code(), kTimeout);
  EXPECT_EQ(event->WaitUntil(steady_clock::time_point::min()).code(), kTimeout);
  EXPECT_EQ(event->WaitUntil(system_clock::time_point::min()).code(), kTimeout);
  EXPECT_EQ(event->WaitUntil(system_clock::time_point()).code(), kTimeout);
  EXPECT_TRUE(event->Signal().ok());
  EXPECT_TRUE(event->Wait(seconds(-5)).ok());
}

// Times beyond what nanoseconds can count do not wrap into the past.
TEST(NamedEvent, TimesFarAwayWaitForTheSignal) {
  Watchdog dog;
  auto event = NamedEvent::Create(TestName("far"));
  auto ended = NamedEvent::Create(TestName("ended"));
  ASSERT_TRUE(event.ok() && ended.ok());
  using Wait = absl::Status (*)(const NamedEvent&);
  for (const Wait wait :
       std::vector<Wait>{[](const NamedEvent& e) { return e.Wait(); },
                         [](const NamedEvent& e) {
                           return e.Wait(std::chrono::hours::max());
                         },
                         [](const NamedEvent& e) {
                           return e.Wait(std::chrono::nanoseconds::max());
                         },
                         [](const NamedEvent& e) {
                           return e.Wait(std::chrono::duration<double>(1e300));
                         },
                         [](const NamedEvent& e) {
                           return e.WaitUntil(steady_clock::time_point::max());
                         },
                         [](const NamedEvent& e) {
                           return e.WaitUntil(system_clock::time_point::max());
                         }}) {
    std::thread waiter([&] {
      EXPECT_TRUE(wait(*event).ok());
      EXPECT_TRUE(ended->Signal().ok());
    });
    // One that wrapped would have ended by now (not a synchronisation: a right
    // one goes on however long this takes).
    EXPECT_EQ(ended->Wait(milliseconds(20)).code(), kTimeout);
    EXPECT_TRUE(event->Signal().ok());
    EXPECT_TRUE(ended->Wait().ok());
    waiter.join();
  }
}

TEST(NamedEvent, EachSignalWakesOneOfManyThreads) {
  Watchdog dog;
  auto event = NamedEvent::Create(TestName("many"));
  auto taken = NamedEvent::Create(TestName("taken"));
  ASSERT_TRUE(event.ok() && taken.ok());
  constexpr int kThreads = 4;
  constexpr int kRounds = 100;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        EXPECT_TRUE(event->Wait().ok());
        EXPECT_TRUE(taken->Signal().ok());
      }
    });
  }
  for (int i = 0; i < kThreads * kRounds; ++i) {
    ASSERT_TRUE(event->Signal().ok());
    ASSERT_TRUE(taken->Wait().ok());
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(event->Wait(seconds(0)).code(), kTimeout);
}

TEST(NamedEvent, EmptyAndMovedFromRefuse) {
  auto event = NamedEvent::Create(TestName("moved"));
  ASSERT_TRUE(event.ok()) << event.status();
  NamedEvent moved = *std::move(event);
  EXPECT_TRUE(moved.Signal().ok());
  EXPECT_TRUE(moved.Wait(seconds(0)).ok());
  const NamedEvent empty;
  for (const NamedEvent* e :
       {&empty, static_cast<const NamedEvent*>(&*event)}) {
    EXPECT_EQ(e->Signal().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(e->Wait().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(e->name(), "");
    EXPECT_FALSE(e->created());
  }
}

// Answers each signal of args[0].there by one of args[0].back; the turn stands
// in the memory args[0].
SHMRPC_TEST_ROLE(answerer) {
  auto memory = SharedMemory::Open(args.at(0));
  auto there = NamedEvent::Open(absl::StrCat(args.at(0), ".there"));
  auto back = NamedEvent::Open(absl::StrCat(args.at(0), ".back"));
  if (!memory.ok() || !there.ok() || !back.ok()) return 1;
  auto view = memory->Map();
  SendLine("ready");
  for (uint32_t turn = 1; turn < 1000; turn += 2) {
    while (view->Load<uint32_t>(0).value() != turn) {
      if (!there->Wait().ok()) return 2;
    }
    if (!view->Store(0, turn + 1).ok() || !back->Signal().ok()) return 3;
  }
  return 0;
}

TEST(NamedEventProcesses, PingPongLosesNoSignal) {
  Watchdog dog;
  const TestName name("pingpong");
  auto memory = SharedMemory::Create(name, 4096);
  auto there = NamedEvent::Create(absl::StrCat(name.plain(), ".there"));
  auto back = NamedEvent::Create(absl::StrCat(name.plain(), ".back"));
  ASSERT_TRUE(memory.ok() && there.ok() && back.ok());
  auto view = memory->Map();
  Subprocess answerer = SpawnRole("answerer", {name.plain()});
  ASSERT_EQ(answerer.ReadLine(), "ready");
  for (uint32_t turn = 1; turn < 1000; turn += 2) {
    ASSERT_TRUE(view->Store(0, turn).ok());
    ASSERT_TRUE(there->Signal().ok());
    while (*view->Load<uint32_t>(0) != turn + 1) {
      ASSERT_TRUE(back->Wait().ok());
    }
  }
  EXPECT_TRUE(answerer.Wait().ok());
}

SHMRPC_TEST_ROLE(sleeper) {
  auto event = NamedEvent::CreateOrOpen(args.at(0));
  if (!event.ok()) return 1;
  SendLine("ready");
  return event->Wait().ok() ? 0 : 2;
}

TEST(NamedEventProcesses, KilledHolderLeavesNothingBehind) {
  Watchdog dog;
  const TestName name("sleeper");
  Subprocess killed = SpawnRole("sleeper", {name.plain()});
  ASSERT_EQ(killed.ReadLine(), "ready");
  killed.Kill();
  killed.Wait();
  EXPECT_EQ(NamedEvent::Open(name).status().code(),
            absl::StatusCode::kNotFound);
  auto event = NamedEvent::Create(name);
  ASSERT_TRUE(event.ok()) << event.status();
  Subprocess sleeper = SpawnRole("sleeper", {name.plain()});
  ASSERT_EQ(sleeper.ReadLine(), "ready");
  EXPECT_TRUE(event->Signal().ok());
  EXPECT_TRUE(sleeper.Wait().ok());
}

}  // namespace
}  // namespace shmrpc
