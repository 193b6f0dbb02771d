#include "shmrpc/cancel.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::Notification;
using ::shmrpc::testing::Watchdog;

// Counts, and says so if it is called when it is dead.
class Target final : public Cancellable {
 public:
  ~Target() { alive_ = false; }
  void Cancel() override {
    EXPECT_TRUE(alive_);
    ++cancels_;
  }
  int cancels() const { return cancels_; }

 private:
  std::atomic<bool> alive_{true};
  std::atomic<int> cancels_{0};
};

// Its Cancel takes until it is allowed to return.
class SlowTarget final : public Cancellable {
 public:
  void Cancel() override {
    running.Notify();
    may_return.Wait();
    over = true;
  }
  Notification running;
  Notification may_return;
  std::atomic<bool> over{false};
};

TEST(CancelSlot, RequestCancelsWhatHasBegun) {
  CancelSlot slot;
  Target target;
  EXPECT_FALSE(slot.Begin(&target));
  EXPECT_FALSE(slot.requested());
  EXPECT_EQ(target.cancels(), 0);
  slot.Request();
  EXPECT_EQ(target.cancels(), 1);
  EXPECT_TRUE(slot.requested());
  slot.End();
}

TEST(CancelSlot, RequestBeforeBeginIsSeenByEveryBegin) {
  CancelSlot slot;
  slot.Request();
  Target target;
  EXPECT_TRUE(slot.Begin(&target));
  EXPECT_TRUE(slot.Begin(&target));
  slot.End();  // need not be, may be
  EXPECT_EQ(target.cancels(), 0);
}

TEST(CancelSlot, RequestAfterEndCancelsNothing) {
  CancelSlot slot;
  Target first;
  EXPECT_FALSE(slot.Begin(&first));
  slot.End();
  Target second;
  EXPECT_FALSE(slot.Begin(&second));
  slot.End();
  slot.Request();
  EXPECT_EQ(first.cancels() + second.cancels(), 0);
}

TEST(CancelSlot, SecondRequestDoesNotCancelAgain) {
  CancelSlot slot;
  Target target;
  EXPECT_FALSE(slot.Begin(&target));
  slot.Request();
  slot.Request();
  EXPECT_EQ(target.cancels(), 1);
  slot.End();
}

TEST(CancelSlot, SecondRequestDoesNotWaitForTheFirst) {
  Watchdog dog;
  CancelSlot slot;
  SlowTarget target;
  EXPECT_FALSE(slot.Begin(&target));
  std::thread first([&] { slot.Request(); });
  target.running.Wait();
  slot.Request();
  EXPECT_FALSE(target.over);
  target.may_return.Notify();
  first.join();
  slot.End();
}

TEST(CancelSlot, EndWaitsForCancel) {
  Watchdog dog;
  // Without the wait, End is through long before the thread is, mostly.
  for (int round = 0; round < 100; ++round) {
    CancelSlot slot;
    SlowTarget target;
    EXPECT_FALSE(slot.Begin(&target));
    std::thread canceller([&] { slot.Request(); });
    target.running.Wait();
    std::thread allows([&] { target.may_return.Notify(); });
    slot.End();
    EXPECT_TRUE(target.over);
    allows.join();
    canceller.join();
  }
}

TEST(CancelSlot, AbandonOrphansWhatHasBegun) {
  class Child final : public Cancellable {
   public:
    void Cancel() override { cancelled = true; }
    void Orphan() override { orphaned = true; }
    bool cancelled = false;
    bool orphaned = false;
  };
  Child ended, goes_on;
  CancelSlot slot;
  EXPECT_FALSE(slot.Begin(&ended));
  slot.End();
  EXPECT_FALSE(slot.Begin(&goes_on));
  slot.Abandon();
  EXPECT_FALSE(ended.orphaned);
  EXPECT_TRUE(goes_on.orphaned);
  EXPECT_FALSE(goes_on.cancelled);
  slot.Abandon();  // nothing is left
}

// A call's life, over and over, while others cancel it: whoever asked is heard
// exactly once, by Begin or by Cancel, and nobody touches what is dead.
TEST(CancelSlot, RequestsOfManyThreadsReachTheTargetOnce) {
  Watchdog dog;
  constexpr int kRounds = 1000;
  constexpr int kCancellers = 3;
  std::atomic<int> round{0};  // the cancellers may start it
  std::atomic<int> done{0};   // cancellers that are through with it
  std::unique_ptr<CancelSlot> slot;
  std::vector<std::thread> cancellers;
  for (int i = 0; i < kCancellers; ++i) {
    cancellers.emplace_back([&] {
      for (int r = 1; r <= kRounds; ++r) {
        while (round.load() < r) std::this_thread::yield();
        slot->Request();
        ++done;
      }
    });
  }
  int late = 0;
  for (int r = 1; r <= kRounds; ++r) {
    slot = std::make_unique<CancelSlot>();
    done = 0;
    round = r;
    // Attempts until the cancellation has been seen, each with a target of its
    // own that dies right after End.
    int seen = 0;
    while (seen == 0) {
      auto target = std::make_unique<Target>();
      const bool requested = slot->Begin(target.get());
      if (!requested) slot->End();
      EXPECT_LE(target->cancels(), 1);
      seen = requested || target->cancels() == 1;
      late += !requested && seen;
    }
    Target after;
    EXPECT_TRUE(slot->Begin(&after));
    while (done < kCancellers) std::this_thread::yield();
  }
  for (std::thread& t : cancellers) t.join();
  ::testing::Test::RecordProperty("cancelled_after_begin", late);
}

TEST(CancelGroup, CancelAllCancelsWhatWasAddedAndNotRemoved) {
  CancelGroup group;
  CancelSlot stays, goes, later;
  group.Add(&stays);
  group.Add(&goes);
  group.Remove(&goes);
  group.Remove(&later);  // was never there
  group.CancelAll();
  EXPECT_TRUE(stays.requested());
  EXPECT_FALSE(goes.requested());
  group.Add(&later);
  EXPECT_TRUE(later.requested());
  group.Remove(&stays);
  group.Remove(&later);
}

TEST(CancelGroup, SlotMayDieAfterRemove) {
  Watchdog dog;
  for (int round = 0; round < 500; ++round) {
    CancelGroup group;
    std::thread canceller([&] { group.CancelAll(); });
    for (int i = 0; i < 3; ++i) {
      auto slot = std::make_unique<CancelSlot>();
      group.Add(slot.get());
      Target target;
      if (!slot->Begin(&target)) slot->End();
      group.Remove(slot.get());
    }
    canceller.join();
  }
}

TEST(CancelGroup, RemoveWaitsForACancelOfItsSlot) {
  Watchdog dog;
  CancelGroup group;
  CancelSlot slot;
  SlowTarget target;
  group.Add(&slot);
  EXPECT_FALSE(slot.Begin(&target));
  std::thread canceller([&] { group.CancelAll(); });
  target.running.Wait();
  std::thread allows([&] { target.may_return.Notify(); });
  group.Remove(&slot);
  EXPECT_TRUE(target.over);
  slot.End();
  allows.join();
  canceller.join();
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
