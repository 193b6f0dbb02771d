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
    options.look_ns = look_ns_;
    threads_ = std::make_unique<PollerThreads>(
        &event_, options,
        [this](uint64_t lead) { return lead_function_(lead); });
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
  PollerThreads::Lead lead_function_ = [this](uint64_t lead) {
    return Lead(lead);
  };
  int64_t look_ns_ = platform::kNever;
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

TEST_F(Threads, LookEachWhileThoughNobodyRings) {
  std::atomic<int> leads{0};
  lead_function_ = [&](uint64_t lead) {
    ++leads;
    return Lead(lead);
  };
  look_ns_ = 1000 * 1000;
  Start(/*max_away=*/5, /*max_idle=*/4, int64_t{3600} * 1000 * 1000 * 1000);
  Await([&] { return leads >= 5; });
  threads_->Stop();
}

// Threads whose leader polls for nothing until somebody wishes for its lead.
class LentLead : public Threads {
 protected:
  LentLead() {
    lead_function_ = [this](uint64_t) {
      ++leads_;
      threads_->SummonListener();
      threads_->StartTicking();
      while (!threads_->stopping()) {
        if (threads_->TakeWish() || lend_.exchange(false)) break;
        if (rest_ && !threads_->TakeScanRequest()) {
          threads_->StopTicking();
          break;
        }
        std::this_thread::yield();
      }
      threads_->ReleaseLead();
      return PollerThreads::End::kIdle;
    };
  }
  // Ends the threads before what they use.
  ~LentLead() override { threads_->Stop(); }

  void StartAndLead() {
    Start(/*max_away=*/5, /*max_idle=*/4, int64_t{3600} * 1000 * 1000 * 1000);
    threads_->RequestScan();
    Await([&] { return leads_ >= 1; });
  }
  uint64_t Borrow() {
    uint64_t lead = 0;
    while (lead == 0) {
      // On a busy machine a wish may be withdrawn before the leader sees it.
      lend_ = true;
      lead = threads_->Borrow(news_);
    }
    lend_ = false;
    return lead;
  }

  std::atomic<bool> news_{false};
  std::atomic<bool> lend_{false};
  std::atomic<bool> rest_{false};
  std::atomic<int> leads_{0};
};

TEST_F(LentLead, IsGivenToWhoWishesForIt) {
  StartAndLead();
  uint64_t lead = Borrow();
  const int before = leads_;
  // Kept through handlers that take less than a tick.
  for (int i = 0; i < 50; ++i) {
    threads_->EnterHandler(&lead);
    if (!threads_->LeaveHandler(&lead)) lead = Borrow();
  }
  threads_->GiveUpLead();
  Await([&] { return leads_ > before; });
}

TEST_F(LentLead, IsTakenBackFromWhoIsLongInAHandler) {
  StartAndLead();
  for (int i = 0; i < 3; ++i) {
    uint64_t lead = Borrow();
    const int before = leads_;
    threads_->EnterHandler(&lead);
    Await([&] { return leads_ > before; });
    EXPECT_FALSE(threads_->LeaveHandler(&lead));
  }
  // It costs no thread: who lent it is still there.
  EXPECT_LE(threads_->thread_count(), 2);
}

TEST_F(LentLead, IsNotLentTwice) {
  StartAndLead();
  uint64_t lead = Borrow();
  // As often as one may look: the holder is between two handlers.
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(threads_->Borrow(news_), 0u);
  threads_->GiveUpLead();
  static_cast<void>(lead);
}

TEST_F(LentLead, IsNotWaitedForByWhoHasNews) {
  StartAndLead();
  news_ = true;
  const int before = leads_;
  EXPECT_EQ(threads_->Borrow(news_), 0u);
  EXPECT_EQ(leads_, before);
}

TEST_F(LentLead, ComesBackIfNobodyTakesIt) {
  StartAndLead();
  for (int i = 0; i < 5; ++i) {
    const int before = leads_;
    // A wish, and then no more interest.
    threads_->WishForTest();
    Await([&] { return leads_ > before; });
  }
}

TEST_F(LentLead, RequestsAreHeardWhenItIsLaidDown) {
  StartAndLead();
  Borrow();
  rest_ = true;
  const int before = leads_;
  threads_->RequestScan();
  threads_->StopTicking();
  threads_->RestLead();
  Await([&] { return leads_ > before; });
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
