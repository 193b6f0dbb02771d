#include "transport/rpc/message_store.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "transport/rpc/method_table.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;

constexpr uint64_t kMiB = 1 << 20;

class TestService : public Service {
 public:
  TestService() {
    AddMethod(MakeMethodHandler("/test.S/A", &TestService::Call, this));
    AddMethod(MakeMethodHandler("/test.S/B", &TestService::Call, this));
  }
  Status Call(ServerContext*, const StringValue*, StringValue*) {
    return Status();
  }
};

// A request that has held `bytes`.
MessagePair PairThatHeld(uint64_t bytes) {
  MessagePair pair;
  auto request = std::make_unique<StringValue>();
  request->set_value(std::string(bytes, 'x'));
  request->Clear();
  pair.request = std::move(request);
  pair.response = std::make_unique<StringValue>();
  return pair;
}

class MessageStoreTest : public ::testing::Test {
 protected:
  // One use as a call makes it.
  void Use(ServedMethod* method, uint64_t bytes) {
    MessagePair pair;
    store_.Take(method, &pair);
    if (pair.request == nullptr) pair = PairThatHeld(bytes);
    store_.Keep(method, std::move(pair), bytes);
  }

  const TestService service_;
  ServedMethod a_{service_.methods()[0].get()};
  ServedMethod b_{service_.methods()[1].get()};
  MessageStore store_;
};

TEST_F(MessageStoreTest, GivesBackTheSameObjectsToTheirMethod) {
  MessagePair kept = PairThatHeld(kMiB);
  const void* request = kept.request.get();
  const void* response = kept.response.get();
  store_.Keep(&a_, std::move(kept), kMiB);
  EXPECT_GE(store_.held_bytes(), kMiB);
  EXPECT_EQ(a_.stored().load(), 1);

  MessagePair other;
  store_.Take(&b_, &other);
  EXPECT_EQ(other.request, nullptr);
  MessagePair taken;
  store_.Take(&a_, &taken);
  EXPECT_EQ(taken.request.get(), request);
  EXPECT_EQ(taken.response.get(), response);
  EXPECT_EQ(store_.held_bytes(), 0u);
  EXPECT_EQ(a_.stored().load(), 0);
}

TEST_F(MessageStoreTest, TakesThePairUsedLastFirst) {
  MessagePair first = PairThatHeld(kMiB);
  MessagePair second = PairThatHeld(kMiB);
  const void* request = second.request.get();
  store_.Keep(&a_, std::move(first), kMiB);
  store_.Keep(&a_, std::move(second), kMiB);
  MessagePair taken;
  store_.Take(&a_, &taken);
  EXPECT_EQ(taken.request.get(), request);
}

TEST_F(MessageStoreTest, CountsWhatMessagesHoldNotWhatPassed) {
  store_.Keep(&a_, PairThatHeld(4 * kMiB), kMiB);
  EXPECT_GE(store_.held_bytes(), 4 * kMiB);
}

TEST_F(MessageStoreTest, NeverHoldsMoreThanItsBound) {
  MessageStore::Limits limits;
  limits.max_bytes = 4 * kMiB;
  MessageStore store(limits);
  for (int i = 0; i < 10; ++i) {
    store.Keep(i % 2 == 0 ? &a_ : &b_, PairThatHeld(kMiB), kMiB);
    EXPECT_LE(store.held_bytes(), limits.max_bytes);
  }
  // The last ones have stayed, and one too large drives nothing else out.
  EXPECT_EQ(a_.stored().load() + b_.stored().load(), 3);
  const uint64_t before = store.held_bytes();
  store.Keep(&a_, PairThatHeld(5 * kMiB), 5 * kMiB);
  EXPECT_EQ(store.held_bytes(), before);
}

TEST_F(MessageStoreTest, APairUsedForSmallMessagesOnlyIsGivenBack) {
  Use(&a_, kMiB);
  for (int i = 0; i < 2 * MessageStore::kUsesPerReview; ++i) {
    MessagePair pair;
    store_.Take(&a_, &pair);
    if (pair.request == nullptr) break;
    store_.Keep(&a_, std::move(pair), 64);
  }
  EXPECT_EQ(store_.held_bytes(), 0u);
  EXPECT_EQ(a_.stored().load(), 0);
}

TEST_F(MessageStoreTest, ALargeMessageNowAndThenKeepsItsPair) {
  Use(&a_, kMiB);
  for (int i = 0; i < 10 * MessageStore::kUsesPerReview; ++i) {
    MessagePair pair;
    store_.Take(&a_, &pair);
    ASSERT_NE(pair.request, nullptr) << "after " << i;
    store_.Keep(&a_, std::move(pair),
                i % (MessageStore::kUsesPerReview / 2) == 0 ? kMiB : 64);
  }
}

TEST_F(MessageStoreTest, WhatOthersUsesLeaveUnusedIsGivenBack) {
  store_.Keep(&a_, PairThatHeld(kMiB), kMiB);
  for (uint64_t i = 0; i < MessageStore::kMaxAge; ++i) Use(&b_, kMiB);
  EXPECT_EQ(a_.stored().load(), 1);
  Use(&b_, kMiB);
  EXPECT_EQ(a_.stored().load(), 0);
  EXPECT_EQ(b_.stored().load(), 1);
}

TEST_F(MessageStoreTest, TidyUpGivesBackWhatWasUnusedForLong) {
  store_.Keep(&a_, PairThatHeld(kMiB), kMiB);
  store_.TidyUp();
  EXPECT_EQ(a_.stored().load(), 1) << "just used";

  MessageStore::Limits limits;
  limits.idle_ns = 0;
  MessageStore store(limits);
  store.Keep(&b_, PairThatHeld(kMiB), kMiB);
  store.TidyUp();
  EXPECT_EQ(store.held_bytes(), 0u);
  EXPECT_EQ(b_.stored().load(), 0);
}

TEST_F(MessageStoreTest, ManyThreadsUseItAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 1000; ++i) Use(t % 2 == 0 ? &a_ : &b_, kMiB / 8);
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(store_.held_bytes() == 0,
            a_.stored().load() + b_.stored().load() == 0);
  EXPECT_LE(a_.stored().load() + b_.stored().load(), 4);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
