#include "transport/rpc/poller_threads.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"
#include "transport/platform/event.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::Notification;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

// Threads whose leader enters a handler for each thing that was asked for.
class Threads : public ::testing::Test {
 protected:
  void Start(int max_away, int max_idle, int64_t idle_ns) {
    auto event = platform::Event::Create(
        {platform::Scope::kLocal, UniqueName("shmrpc-test.threads")}, &word_,
        {});
    ASSERT_TRUE(event.ok()) << event.status();
    event_ = *std::move(event);
    PollerThreads::Options options;
    options.name = "test";
    options.max_away = max_away;
    options.max_idle = max_idle;
    options.idle_ns = idle_ns;
    threads_ = std::make_unique<PollerThreads>(
        &event_, options, [this](uint64_t lead) { return Lead(lead); });
    ASSERT_TRUE(threads_->Start().ok());
  }

  PollerThreads::End Lead(uint64_t) {
    threads_->SummonListener();
    while (threads_->TakeScanRequest() || asked_ != 0) {
      if (asked_ == 0) continue;
      --asked_;
      if (!threads_->HandOver()) {
        ++refused_;
        continue;
      }
      ++running_;
      go_.Wait();
      --running_;
      threads_->Return();
      return PollerThreads::End::kLeadLost;
    }
    threads_->ReleaseLead();
    return PollerThreads::End::kIdle;
  }

  void Ask(int count) {
    asked_ += count;
    threads_->RequestScan();
  }

  template <class Condition>
  static void Await(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }

  Watchdog dog_{120, "poller threads"};
  std::atomic<uint32_t> word_{0};
  platform::Event event_;
  std::atomic<int> asked_{0};
  std::atomic<int> running_{0};
  std::atomic<int> refused_{0};
  Notification go_;
  std::unique_ptr<PollerThreads> threads_;
};

TEST_F(Threads, AsManyHandlersRunAtOnceAsMayAndTheNextIsRefused) {
  Start(/*max_away=*/5, /*max_idle=*/4, int64_t{3600} * 1000 * 1000 * 1000);
  Ask(5);
  Await([&] { return running_ == 5; });
  EXPECT_EQ(refused_, 0);
  Ask(2);
  Await([&] { return refused_ == 2; });
  EXPECT_EQ(running_, 5);
  EXPECT_EQ(threads_->thread_count(), 6);
  go_.Notify();
  Await([&] { return running_ == 0; });
}

TEST_F(Threads, OnesThatAreIdleForLongEnd) {
  Start(/*max_away=*/20, /*max_idle=*/3, 1000 * 1000);
  for (int round = 0; round < 3; ++round) {
    Ask(20);
    Await([&] { return running_ + refused_ == 20 || asked_ == 0; });
    go_.Notify();
    Await([&] { return running_ == 0 && threads_->thread_count() <= 3; });
  }
  EXPECT_EQ(refused_, 0);
  // There still is somebody.
  Ask(1);
  Await([&] { return asked_ == 0; });
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
