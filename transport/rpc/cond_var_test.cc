#include "transport/rpc/cond_var.h"

#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "shmrpc/time.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::Watchdog;

class CondVarTest : public ::testing::Test {
 protected:
  Watchdog dog_;
  absl::Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(CondVarTest, WaitEndsAtItsDeadlineAndNotForLongBefore) {
  const int64_t deadline_ns = platform::MonotonicNowNs() + 20 * 1000 * 1000;
  absl::MutexLock lock(&mutex_);
  do {
    changed_.Wait(&mutex_, deadline_ns);
    ++count_;
  } while (platform::MonotonicNowNs() < deadline_ns);
  EXPECT_EQ(count_, 1);
  changed_.Wait(&mutex_, 0);
  changed_.Wait(&mutex_, -1);
}

TEST_F(CondVarTest, SignalAllWakesAllWhateverTheirDeadlines) {
  constexpr int kThreads = 20;
  constexpr int kRounds = 20;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    const int64_t deadline_ns =
        i % 2 == 0 ? kInfiniteFutureNs
                   : platform::MonotonicNowNs() + int64_t{3600} * 1000000000;
    threads.emplace_back([this, deadline_ns] {
      absl::MutexLock lock(&mutex_);
      for (int round = 0; round < kRounds; ++round) {
        // The last one to come begins the next round.
        if (++count_ % kThreads == 0) changed_.SignalAll();
        while (count_ / kThreads <= round) changed_.Wait(&mutex_, deadline_ns);
      }
    });
  }
  for (std::thread& t : threads) t.join();
}

// As the list of waits loses its first, last, and one between.
TEST_F(CondVarTest, WaitsThatEndLeaveTheOthersToBeWoken) {
  constexpr int kThreads = 9;
  std::vector<std::thread> threads;
  int ended = 0;     // under mutex_
  bool all = false;  // the same; written by this thread
  for (int i = 0; i < kThreads; ++i) {
    const int64_t deadline_ns = i % 4 == 0
                                    ? platform::MonotonicNowNs() + 2000000 * i
                                    : kInfiniteFutureNs;
    threads.emplace_back([&, deadline_ns] {
      absl::MutexLock lock(&mutex_);
      while (!all && platform::MonotonicNowNs() < deadline_ns) {
        changed_.Wait(&mutex_, deadline_ns);
      }
      ++ended;
    });
  }
  while (!all) {
    std::this_thread::yield();
    absl::MutexLock lock(&mutex_);
    all = ended == kThreads / 4 + 1;
    if (all) changed_.SignalAll();
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(ended, kThreads);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
