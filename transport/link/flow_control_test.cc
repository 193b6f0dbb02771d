#include "transport/link/flow_control.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>

#include "gtest/gtest.h"
#include "transport/memory/layout.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace link {
namespace {

using memory::kMessageChargeBytes;
using memory::kWindowBytes;
using ::shmrpc::testing::TestSeed;

TEST(SendWindow, IsOpenUntilTheWindowIsCharged) {
  SendWindow window;
  EXPECT_TRUE(window.open());
  window.Charge(kWindowBytes - 1);
  EXPECT_TRUE(window.open());
  window.Charge(1);
  EXPECT_FALSE(window.open());
  EXPECT_TRUE(window.Credit(1));
  EXPECT_TRUE(window.open());
}

TEST(SendWindow, OneMessageOfAnyLengthGoesBeyondIt) {
  SendWindow window;
  const uint64_t cost = MessageCost(uint64_t{1} << 31);
  window.Charge(cost);
  EXPECT_FALSE(window.open());
  EXPECT_TRUE(window.Credit(static_cast<uint32_t>(cost)));
  EXPECT_TRUE(window.open());
}

TEST(SendWindow, CreditForMoreThanWasSentIsRefused) {
  SendWindow window;
  EXPECT_FALSE(window.Credit(1));
  window.Charge(100);
  EXPECT_FALSE(window.Credit(101));
  EXPECT_FALSE(window.Credit(UINT64_MAX));
  EXPECT_TRUE(window.Credit(100));
  EXPECT_FALSE(window.Credit(1));
}

TEST(ReceiveWindow, MessageBeyondTheWindowIsRefused) {
  ReceiveWindow window;
  EXPECT_TRUE(window.Arrived(kWindowBytes - 1));
  EXPECT_TRUE(window.Arrived(kWindowBytes));
  EXPECT_FALSE(window.Arrived(kMessageChargeBytes));
  EXPECT_FALSE(window.Arrived(0));
}

TEST(ReceiveWindow, TakingWithoutCreditDoesNotOpenIt) {
  ReceiveWindow window;
  constexpr uint64_t kBelow = kWindowBytes / 4 - 1;
  EXPECT_TRUE(window.Arrived(kBelow));
  EXPECT_TRUE(window.Arrived(kWindowBytes - kBelow));
  EXPECT_EQ(window.Taken(kBelow), 0u);
  EXPECT_FALSE(window.Arrived(1));
}

TEST(ReceiveWindow, GivesCreditForAQuarterOfTheWindow) {
  ReceiveWindow window;
  EXPECT_TRUE(window.Arrived(kWindowBytes));
  EXPECT_EQ(window.Taken(kWindowBytes / 4 - 1), 0u);
  EXPECT_EQ(window.Taken(1), kWindowBytes / 4);
  EXPECT_TRUE(window.Arrived(1));
  EXPECT_EQ(window.Taken(1), 0u);  // counted anew
}

TEST(ReceiveWindow, CreditOfTheLongestMessageFits) {
  ReceiveWindow window;
  const uint64_t little = kWindowBytes / 4 - 1;
  const uint64_t cost = MessageCost(uint64_t{1} << 31);
  EXPECT_TRUE(window.Arrived(little));
  EXPECT_TRUE(window.Arrived(cost));
  EXPECT_EQ(window.Taken(little), 0u);
  EXPECT_EQ(window.Taken(cost), little + cost);
}

// One direction between honest sides, whatever is on its way in between.
class Direction {
 public:
  explicit Direction(uint64_t seed) : random_(seed) {}

  bool CanSend() const { return sender_.open(); }
  bool CanArrive() const { return !messages_.empty(); }
  bool CanTake() const { return !inbox_.empty(); }
  bool CanCredit() const { return !credits_.empty(); }
  bool CanDoAnything() const {
    return CanSend() || CanArrive() || CanTake() || CanCredit();
  }

  void Send() {
    const uint64_t cost = MessageCost(RandomSize());
    sender_.Charge(cost);
    messages_.push_back(cost);
    ++sent_;
  }
  void Arrive() {
    ASSERT_TRUE(receiver_.Arrived(messages_.front())) << "an honest overrun";
    inbox_.push_back(messages_.front());
    messages_.pop_front();
    buffered_ += inbox_.back();
    // What bounds the receiver's memory, but for the message that crossed.
    ASSERT_LT(buffered_ - inbox_.back(), kWindowBytes);
  }
  void Take() {
    const uint64_t cost = inbox_.front();
    inbox_.pop_front();
    buffered_ -= cost;
    const uint32_t credit = receiver_.Taken(cost);
    if (credit != 0) credits_.push_back(credit);
  }
  void Credit() {
    ASSERT_TRUE(sender_.Credit(credits_.front())) << "an honest credit";
    credits_.pop_front();
  }

  int sent() const { return sent_; }

 private:
  // Mostly small; some beyond the window, some at its edges.
  uint64_t RandomSize() {
    switch (random_() % 8) {
      case 0:
        return random_() % (3 * kWindowBytes);
      case 1:
        return kWindowBytes - kMessageChargeBytes - 1 + random_() % 3;
      case 2:
        return kWindowBytes / 4 - kMessageChargeBytes - 1 + random_() % 3;
      case 3:
        return 0;
      default:
        return random_() % (kWindowBytes / 16);
    }
  }

  std::mt19937_64 random_;
  SendWindow sender_;
  ReceiveWindow receiver_;
  std::deque<uint64_t> messages_;  // on their way
  std::deque<uint64_t> inbox_;
  std::deque<uint32_t> credits_;  // on their way back
  uint64_t buffered_ = 0;         // costs in inbox_
  int sent_ = 0;
};

TEST(FlowControl, HonestSidesNeitherOverrunNorStop) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  for (int round = 0; round < 200; ++round) {
    Direction direction(random());
    // How eager each of the four is: often one lags far behind the others.
    uint64_t weight[4];
    for (uint64_t& w : weight) w = 1 + random() % 16;
    for (int step = 0; step < 2000; ++step) {
      ASSERT_TRUE(direction.CanDoAnything()) << "deadlock";
      uint64_t pick =
          random() % (weight[0] + weight[1] + weight[2] + weight[3]);
      int actor = 0;
      while (pick >= weight[actor]) pick -= weight[actor++];
      if (actor == 0 && direction.CanSend()) direction.Send();
      if (actor == 1 && direction.CanArrive()) direction.Arrive();
      if (actor == 2 && direction.CanTake()) direction.Take();
      if (actor == 3 && direction.CanCredit()) direction.Credit();
      ASSERT_FALSE(HasFatalFailure());
    }
    // A reader who has taken everything always lets the sender go on.
    while (direction.CanArrive() || direction.CanTake() ||
           direction.CanCredit()) {
      if (direction.CanArrive()) direction.Arrive();
      if (direction.CanTake()) direction.Take();
      if (direction.CanCredit()) direction.Credit();
      ASSERT_FALSE(HasFatalFailure());
    }
    ASSERT_TRUE(direction.CanSend()) << "deadlock";
    EXPECT_GT(direction.sent(), 10);
  }
}

// A sender that does not wait is caught before it has had more than the window
// and one message kept.
TEST(FlowControl, SenderThatIgnoresTheWindowIsRefused) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  for (int round = 0; round < 200; ++round) {
    ReceiveWindow receiver;
    uint64_t kept = 0;
    for (;;) {
      const uint64_t cost = MessageCost(random() % kWindowBytes);
      if (!receiver.Arrived(cost)) break;
      ASSERT_LT(kept, kWindowBytes);
      kept += cost;
    }
    EXPECT_GE(kept, kWindowBytes);
  }
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
