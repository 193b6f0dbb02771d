#include "transport/link/doorbell.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "gtest/gtest.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::Watchdog;

TEST(Doorbell, NobodyParkedNeedsNoRing) {
  Doorbell::Mark mark{0};
  EXPECT_FALSE(Doorbell::TakeMark(&mark));
}

TEST(Doorbell, OnlyTheFirstOfSeveralRings) {
  Doorbell::Mark mark{0};
  Doorbell::Park(&mark);
  EXPECT_TRUE(Doorbell::TakeMark(&mark));
  EXPECT_FALSE(Doorbell::TakeMark(&mark));
}

TEST(Doorbell, UnparkedNeedsNoRing) {
  Doorbell::Mark mark{0};
  Doorbell::Park(&mark);
  Doorbell::Unpark(&mark);
  EXPECT_FALSE(Doorbell::TakeMark(&mark));
}

TEST(Doorbell, GarbageInTheMarkIsAMark) {
  Doorbell::Mark mark{0xdeadbeef};
  EXPECT_TRUE(Doorbell::TakeMark(&mark));
  EXPECT_EQ(mark.load(), 0u);
}

// Waits for `ready`, on one core and under load too.
template <class F>
void SpinUntil(F ready) {
  for (int i = 0; !ready(); ++i) {
    if (i >= 1000) std::this_thread::yield();
  }
}

// An auto-reset event of this process.
class Bell {
 public:
  void Ring() {
    std::lock_guard<std::mutex> lock(mutex_);
    rung_ = true;
    condition_.notify_one();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    condition_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

// Each side parks as soon as it has answered, while the other one publishes: a
// wake-up lost here leaves both asleep for ever.
TEST(Doorbell, NoWakeUpIsLostBetweenTwoThreadsThatParkAtOnce) {
  constexpr uint32_t kRounds = 10000;
  Watchdog dog(240, "a wake-up was lost");
  struct Direction {
    std::atomic<uint32_t> published{0};
    Doorbell::Mark mark{0};
    Bell bell;
    uint32_t sleeps = 0;

    void Publish(uint32_t n) {
      // Relaxed: what the fence in TakeMark is for.
      published.store(n, std::memory_order_relaxed);
      if (Doorbell::TakeMark(&mark)) bell.Ring();
    }
    bool Reached(uint32_t n) const {
      return published.load(std::memory_order_relaxed) >= n;
    }
    void Await(uint32_t n, uint32_t spins) {
      while (!Reached(n)) {
        if (spins != 0) {
          --spins;
          continue;
        }
        Doorbell::Park(&mark);
        if (!Reached(n)) {
          ++sleeps;
          bell.Wait();
        }
        Doorbell::Unpark(&mark);
      }
    }
  };
  Direction there;
  Direction back;
  std::thread other([&] {
    for (uint32_t n = 1; n <= kRounds; ++n) {
      there.Await(n, n % 64);
      back.Publish(n);
    }
  });
  for (uint32_t n = 1; n <= kRounds; ++n) {
    there.Publish(n);
    back.Await(n, n % 61 * 4);
  }
  other.join();
  EXPECT_GT(there.sleeps + back.sleeps, 0u) << "nobody ever slept";
}

// The shape of the classic failure, many times over: both store, then both look
// at what the other stored. At least one of them has to see it. Each word's
// line is made the other side's before a round, so that a store without a fence
// is slow and the look behind it overtakes it.
TEST(Doorbell, PublisherOrSleeperSeesTheOther) {
  constexpr uint32_t kRounds = 200000;
  Watchdog dog(240, "doorbell");
  struct alignas(128) Line {
    std::atomic<uint32_t> word{0};
  };
  Line published;
  Line mark;
  Line ready;
  Line start;
  Line finished;
  bool taken = false;
  std::thread publisher([&] {
    for (uint32_t n = 1; n <= kRounds; ++n) {
      mark.word.store(0, std::memory_order_relaxed);
      ready.word.store(n, std::memory_order_release);
      SpinUntil([&] { return start.word.load() == n; });
      // Relaxed: what the fence in TakeMark is for.
      published.word.store(1, std::memory_order_relaxed);
      taken = Doorbell::TakeMark(&mark.word);
      finished.word.store(n, std::memory_order_release);
    }
  });
  uint32_t lost = 0;
  for (uint32_t n = 1; n <= kRounds; ++n) {
    published.word.store(0, std::memory_order_relaxed);
    SpinUntil([&] { return ready.word.load() == n; });
    start.word.store(n, std::memory_order_release);
    // Somewhere in here the other thread starts.
    for (volatile uint32_t i = 0; i < n % 256; i = i + 1) {
    }
    Doorbell::Park(&mark.word);
    const bool seen = published.word.load(std::memory_order_relaxed) != 0;
    SpinUntil([&] { return finished.word.load() == n; });
    lost += !seen && !taken;
  }
  publisher.join();
  EXPECT_EQ(lost, 0u);
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
