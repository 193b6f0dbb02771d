// Futexes: truncated words, and kernels without futex_waitv.

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

#include <atomic>
#include <thread>

#include "absl/base/config.h"
#include "gtest/gtest.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/wake_thieves_posix.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::SleepersOn;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::WakeThieves;
using ::shmrpc::testing::WakeWithoutSignal;
using ::shmrpc::testing::Watchdog;

// ThreadSanitizer makes atomic accesses itself, below a lock of its own; a
// fault there, whose handler uses atomics, never ends.
#ifdef ABSL_HAVE_THREAD_SANITIZER
constexpr bool kAtomicsMayFault = false;
#else
constexpr bool kAtomicsMayFault = true;
#endif

#define SKIP_IF_ATOMICS_MAY_NOT_FAULT() \
  if (!kAtomicsMayFault) GTEST_SKIP() << "not with ThreadSanitizer"

struct Shared {
  Shared()
      : name{Scope::kLocal, UniqueName("shmrpc-test.futex")},
        mapping(NamedMapping::Create(name, 4096, {}).value()),
        view(mapping.Map(0, 4096, Access::kReadWrite).value()),
        word(reinterpret_cast<std::atomic<uint32_t>*>(view.data())),
        event(Event::Create(name, word, {}).value()) {}
  ObjectName name;
  NamedMapping mapping;
  View view;
  std::atomic<uint32_t>* word;
  Event event;
};

TEST(EventPosix, TruncatedBeforeTheWaitIsPoisoned) {
  SKIP_IF_ATOMICS_MAY_NOT_FAULT();
  Watchdog dog;
  Shared shared;
  Waiter waiter;
  MakeViewFault(shared.name, shared.view);
  EXPECT_EQ(waiter.Wait(&shared.event, kNever), WaitResult::kPoisoned);
  // And it stays so, now that the word is a page of zeros of our own.
  EXPECT_EQ(waiter.Wait(&shared.event, kNever), WaitResult::kPoisoned);
  shared.event.Signal();
}

TEST(EventPosix, TruncatedBeforeTheSignalDoesNotKill) {
  SKIP_IF_ATOMICS_MAY_NOT_FAULT();
  Shared shared;
  MakeViewFault(shared.name, shared.view);
  shared.event.Signal();
  EXPECT_TRUE(shared.view.poisoned());
}

TEST(EventPosix, TruncatedDuringTheSleepIsFoundAfterAnInterrupt) {
  SKIP_IF_ATOMICS_MAY_NOT_FAULT();
  Watchdog dog;
  Shared shared;
  Waiter waiter;
  std::atomic<bool> found{false};
  std::thread thread([&] {
    while (waiter.Wait(&shared.event, kNever) != WaitResult::kPoisoned) {
    }
    found = true;
  });
  waiter.Interrupt();
  MakeViewFault(shared.name, shared.view);
  while (!found) {
    waiter.Interrupt();
    std::this_thread::yield();
  }
  thread.join();
}

// The kernel would end the process.
TEST(EventPosix, TruncatedIsFoundByThreadsThatBlockSigbus) {
  SKIP_IF_ATOMICS_MAY_NOT_FAULT();
  const auto on_blocking_thread = [](auto touch) {
    Shared shared;
    MakeViewFault(shared.name, shared.view);
    std::thread([&] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);
      touch(&shared.event);
    }).join();
    EXPECT_TRUE(shared.event.Gone());
  };
  on_blocking_thread([](Event* event) {
    EXPECT_EQ(Waiter().Wait(event, kNever), WaitResult::kPoisoned);
  });
  on_blocking_thread([](Event* event) { event->Signal(); });
}

TEST(EventPosix, SignalAllWakesWhoSleepsBehindThieves) {
  Watchdog dog;
  Shared shared;
  WakeThieves thieves(shared.word, 5);
  std::thread sleeper([&] {
    Waiter waiter;
    EXPECT_EQ(waiter.WaitForHint(&shared.event, kNever), WaitResult::kSignaled);
  });
  while (SleepersOn(shared.word) < 6) std::this_thread::yield();
  shared.event.SignalAll();
  sleeper.join();
}

TEST(EventPosix, SignalThatWasClearedIsAHintAllTheSame) {
  Watchdog dog;
  Shared shared;
  std::thread sleeper([&] {
    Waiter waiter;
    EXPECT_EQ(waiter.WaitForHint(&shared.event, kNever), WaitResult::kSignaled);
  });
  while (SleepersOn(shared.word) < 1) std::this_thread::yield();
  EXPECT_EQ(WakeWithoutSignal(shared.word), 1);
  sleeper.join();
}

TEST(EventPosix, SignalThatWasClearedIsNone) {
  Watchdog dog;
  Shared shared;
  std::atomic<bool> ended{false};
  std::thread sleeper([&] {
    Waiter waiter;
    EXPECT_EQ(waiter.Wait(&shared.event, kNever), WaitResult::kSignaled);
    ended = true;
  });
  for (int i = 0; i < 100; ++i) {
    while (SleepersOn(shared.word) < 1) {
      ASSERT_FALSE(ended);
      std::this_thread::yield();
    }
    WakeWithoutSignal(shared.word);
  }
  shared.event.Signal();
  sleeper.join();
}

TEST(EventPosix, InterruptAndTimeoutAreNoHints) {
  Watchdog dog;
  Shared shared;
  Waiter waiter;
  std::thread thread([&] {
    while (SleepersOn(shared.word) < 1) std::this_thread::yield();
    waiter.Interrupt();
  });
  EXPECT_EQ(waiter.WaitForHint(&shared.event, kNever),
            WaitResult::kInterrupted);
  thread.join();
  EXPECT_EQ(waiter.WaitForHint(&shared.event, MonotonicNowNs() + 5000000),
            WaitResult::kTimeout);
}

// Installs a filter that answers futex_waitv as an old kernel does.
bool ForgetFutexWaitv(int error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 449, 0, 1),
      BPF_STMT(BPF_RET | BPF_K,
               SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Did a wait of 200 ms sleep, rather than spin?
bool WaitUsesNoCpu(Event* event) {
  const auto cpu_ns = [] {
    timespec used = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return int64_t{used.tv_sec} * 1000000000 + used.tv_nsec;
  };
  Waiter waiter;
  const int64_t before_ns = cpu_ns();
  waiter.Wait(event, MonotonicNowNs() + 200000000);
  return cpu_ns() - before_ns < 50000000;
}

TEST(EventPosix, SleeperUsesNoCpu) {
  Shared shared;
  EXPECT_TRUE(WaitUsesNoCpu(&shared.event));
  EXPECT_TRUE(WaitUsesNoCpu(nullptr));
}

// What event_test asks of an Event, in short, on an old kernel.
SHMRPC_TEST_ROLE(old_kernel) {
  if (!ForgetFutexWaitv(args.at(0) == "EPERM" ? EPERM : ENOSYS)) return 1;
  Shared shared;
  Waiter waiter;
  shared.event.Signal();
  if (waiter.Wait(&shared.event, kNever) != WaitResult::kSignaled) return 2;
  const int64_t deadline_ns = MonotonicNowNs() + 5000000;
  if (waiter.Wait(&shared.event, deadline_ns) != WaitResult::kTimeout) return 3;
  if (MonotonicNowNs() < deadline_ns) return 4;
  if (!WaitUsesNoCpu(&shared.event)) return 7;

  Waiter other;
  std::atomic<int> wrong{0};
  std::thread thread([&] {
    for (int i = 0; i < 500; ++i) {
      const WaitResult expected =
          i % 2 == 0 ? WaitResult::kSignaled : WaitResult::kInterrupted;
      wrong += other.Wait(&shared.event, kNever) != expected;
      waiter.Interrupt();
    }
  });
  for (int i = 0; i < 500; ++i) {
    if (i % 2 == 0) {
      shared.event.Signal();
    } else {
      other.Interrupt();
    }
    wrong += waiter.Wait(nullptr, kNever) != WaitResult::kInterrupted;
  }
  thread.join();
  if (wrong.load() != 0) return 5;

  // A wake-up without a signal.
  std::atomic<bool> hinted{false};
  std::thread sleeper([&] {
    if (waiter.WaitForHint(&shared.event, kNever) == WaitResult::kSignaled) {
      hinted = true;
    }
  });
  // Between two slices there is nobody to wake.
  while (!hinted) {
    WakeWithoutSignal(shared.word);
    std::this_thread::yield();
  }
  sleeper.join();

  if (!kAtomicsMayFault) return 0;
  MakeViewFault(shared.name, shared.view);
  return waiter.Wait(&shared.event, kNever) == WaitResult::kPoisoned ? 0 : 6;
}

TEST(EventPosix, KernelWithoutFutexWaitvWorks) {
  EXPECT_EQ(SpawnRole("old_kernel", {"ENOSYS"}).Wait().code, 0);
}

TEST(EventPosix, ContainerThatForbidsFutexWaitvWorks) {
  EXPECT_EQ(SpawnRole("old_kernel", {"EPERM"}).Wait().code, 0);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
