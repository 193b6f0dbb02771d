// The threads of a server: handlers that block take one each, up to a limit.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr char kExhausted[] = "Server Threadpool Exhausted";
constexpr int kLimit = 4;

ServerSettings Limited() {
  ServerSettings settings;
  settings.max_threads = kLimit;
  return settings;
}

class Threads : public ::testing::TestWithParam<CallKind> {
 protected:
  // In another thread, until the gate "go" is open.
  void Hold() {
    held_.emplace_back([this] {
      ClientContext context;
      script_.AddTo(&context);
      EXPECT_TRUE(
          IsOk(MakeCall(server_.stub.get(), GetParam(), &context).status));
    });
    // Nobody is left to answer such a question as AwaitStart once all hold.
    if (static_cast<int>(held_.size()) < kLimit) {
      script_.AwaitStart(server_.observer.get(),
                         static_cast<int64_t>(held_.size()));
    }
  }

  void LetGo() {
    server_.process.OpenGate("go");
    for (std::thread& t : held_) t.join();
    held_.clear();
  }

  // One call that needs no time.
  Status Call(CallKind kind) {
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    return MakeCall(server_.observer.get(), kind, &context, ItemOf(1000))
        .status;
  }

  Watchdog dog_{100, "a test of a server's threads"};
  ScriptedServer server_{Limited()};
  HandlerScript script_ = HandlerScript().HoldAt("go");
  std::vector<std::thread> held_;
};

TEST_P(Threads, OneThatBlocksForLongHoldsUpNobody) {
  Hold();
  for (int i = 0; i < 50; ++i) {
    for (const CallKind kind : kCallKinds) ASSERT_TRUE(IsOk(Call(kind)));
  }
  LetGo();
}

TEST_P(Threads, AllButOneThatBlockHoldUpNobody) {
  for (int i = 0; i < kLimit - 1; ++i) Hold();
  for (int i = 0; i < 50; ++i) {
    for (const CallKind kind : kCallKinds) ASSERT_TRUE(IsOk(Call(kind)));
  }
  LetGo();
}

TEST_P(Threads, CallBeyondTheLimitIsResourceExhausted) {
  for (int i = 0; i < kLimit; ++i) Hold();
  // The last one is on its way: until it holds, calls are served.
  Status status;
  do {
    status = Call(CallKind::kUnary);
  } while (status.ok());
  EXPECT_TRUE(Is(status, RESOURCE_EXHAUSTED, kExhausted));
  for (int i = 0; i < 20; ++i) {
    for (const CallKind kind : kCallKinds) {
      EXPECT_TRUE(Is(Call(kind), RESOURCE_EXHAUSTED, kExhausted)) << kind;
    }
  }
  LetGo();
  // A thread that has sent its answer may not be back yet.
  while (!(status = Call(GetParam())).ok()) {
    ASSERT_TRUE(Is(status, RESOURCE_EXHAUSTED, kExhausted));
  }
}

INSTANTIATE_TEST_SUITE_P(, Threads, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

}  // namespace
}  // namespace testing
}  // namespace shmrpc
