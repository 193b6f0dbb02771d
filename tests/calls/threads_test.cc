// The threads of a server: handlers that block take one each, up to a limit.

#include <list>
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
constexpr int kLimit = 8;

ServerSettings Limited() {
  ServerSettings settings;
  settings.max_threads = kLimit;
  return settings;
}

// One call that needs no time.
Status Call(Scripted::Stub* stub, CallKind kind) {
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  return MakeCall(stub, kind, &context, ItemOf(1000)).status;
}

class BlockedHandlers : public ::testing::TestWithParam<CallKind> {
 protected:
  void ExpectHoldUpNobody(int blocked) {
    HandlerScript script;
    script.HoldAt("go");
    std::vector<std::thread> held;
    for (int i = 1; i <= blocked; ++i) {
      held.emplace_back([&] {
        ClientContext context;
        script.AddTo(&context);
        EXPECT_TRUE(
            IsOk(MakeCall(server_.stub.get(), GetParam(), &context).status));
      });
      script.AwaitStart(server_.observer.get(), i);
    }
    for (int i = 0; i < 50; ++i) {
      for (const CallKind kind : kCallKinds) {
        // Over the same connection.
        EXPECT_TRUE(IsOk(Call(server_.stub.get(), kind)));
      }
    }
    server_.process.OpenGate("go");
    for (std::thread& t : held) t.join();
  }

  Watchdog dog_{100, "a test of a server's threads"};
  ScriptedServer server_{Limited()};
};

TEST_P(BlockedHandlers, OneHoldsUpNobody) { ExpectHoldUpNobody(1); }

// The other half: a thread that has sent its answer may not be back yet.
TEST_P(BlockedHandlers, HalfOfTheThreadsHoldUpNobody) {
  ExpectHoldUpNobody(kLimit / 2);
}

INSTANTIATE_TEST_SUITE_P(, BlockedHandlers, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

// A stream whose handler holds at the gate "go", as it has told.
class HeldStream {
 public:
  explicit HeldStream(Scripted::Stub* stub) {
    HandlerScript script;
    script.InitialMetadata("x-held", "1").SendInitialMetadata().HoldAt("go");
    script.AddTo(&context_);
    stream_ = stub->Bidi(&context_);
    stream_->WaitForInitialMetadata();
  }

  bool held() const {
    return context_.GetServerInitialMetadata().count("x-held") == 1;
  }
  Status Finish() {
    stream_->WritesDone();
    return stream_->Finish();
  }

 private:
  ClientContext context_;
  std::unique_ptr<ClientReaderWriter<Item, Item>> stream_;
};

TEST(ThreadLimit, CallBeyondItIsResourceExhaustedUntilOneIsFree) {
  const Watchdog dog(100, "a test of a server's threads");
  ScriptedServer server(Limited());
  std::list<HeldStream> streams;
  while (streams.size() < kLimit) {
    streams.emplace_back(server.stub.get());
    if (streams.back().held()) continue;
    // A thread that has sent its answer may not be back yet.
    EXPECT_TRUE(Is(streams.back().Finish(), RESOURCE_EXHAUSTED, kExhausted));
    streams.pop_back();
  }
  for (int i = 0; i < 20; ++i) {
    for (Scripted::Stub* stub : {server.stub.get(), server.observer.get()}) {
      for (const CallKind kind : kCallKinds) {
        EXPECT_TRUE(Is(Call(stub, kind), RESOURCE_EXHAUSTED, kExhausted));
      }
    }
  }
  server.process.OpenGate("go");
  for (HeldStream& stream : streams) EXPECT_TRUE(IsOk(stream.Finish()));
  Status status;
  while (!(status = Call(server.stub.get(), CallKind::kUnary)).ok()) {
    ASSERT_TRUE(Is(status, RESOURCE_EXHAUSTED, kExhausted));
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
