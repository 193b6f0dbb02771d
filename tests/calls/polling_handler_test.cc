// Streaming handlers that come back for the next message soon: they poll on
// their own threads while they wait. Whatever they do then, everybody else's
// calls go on.

#include <chrono>
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

using std::chrono::milliseconds;

// Enough for a handler to be known as quick.
constexpr int kPings = 50;

// A stream whose handler echoes, and has done so for a while.
class EchoStream {
 public:
  explicit EchoStream(Scripted::Stub* stub) { Start(stub); }
  EchoStream(Scripted::Stub* stub, milliseconds deadline) {
    context.set_deadline(FromNow(deadline));
    Start(stub);
  }

  bool Ping(int count = 1, size_t size_bytes = 100) {
    for (int i = 0; i < count; ++i) {
      const uint64_t seed = pings_++;
      Item item;
      if (!stream->Write(ItemOf(size_bytes, seed)) || !stream->Read(&item) ||
          !IsItemOf(item, size_bytes, seed)) {
        return false;
      }
    }
    return true;
  }
  Status Finish() {
    stream->WritesDone();
    return stream->Finish();
  }

  HandlerScript script;
  ClientContext context;
  std::unique_ptr<ClientReaderWriter<Item, Item>> stream;

 private:
  void Start(Scripted::Stub* stub) {
    script.Echo();
    script.AddTo(&context);
    stream = stub->Bidi(&context);
    EXPECT_TRUE(Ping(kPings));
  }

  uint64_t pings_ = 0;
};

void ExpectCallsWork(Scripted::Stub* stub) {
  for (const CallKind kind : kCallKinds) {
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    EXPECT_TRUE(IsOk(MakeCall(stub, kind, &context, ItemOf(1000)).status));
  }
}

using PollingHandler = ScriptedTest;

TEST_F(PollingHandler, RunsNoCallsButLetsThemRun) {
  EchoStream echo(stub());
  for (int i = 0; i < 20; ++i) {
    ExpectCallsWork(stub());      // over the same connection
    ExpectCallsWork(observer());  // over another
    EXPECT_TRUE(echo.Ping(5));
  }
  EXPECT_TRUE(IsOk(echo.Finish()));
}

TEST_F(PollingHandler, ThatStopsToReadHoldsUpNobody) {
  HandlerScript script;
  for (int i = 0; i < kPings; ++i) script.Read(1).Write(100);
  script.HoldAt("stopped").ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  Item item;
  for (int i = 0; i < kPings; ++i) {
    ASSERT_TRUE(stream->Write(ItemOf(10)));
    ASSERT_TRUE(stream->Read(&item));
  }
  // It has the lead, and will not be back.
  for (int i = 0; i < 5; ++i) {
    ExpectCallsWork(stub());
    ExpectCallsWork(observer());
  }
  PassGate(observer(), "stopped");
  EXPECT_TRUE(stream->Write(ItemOf(10)));
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(2 * kPings + 1).messages(), 1);
}

TEST_F(PollingHandler, AFewAtOnceEchoEachItsOwn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([t] {
      EchoStream echo(t % 2 == 0 ? stub() : observer());
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(echo.Ping(10, i % 5 == 0 ? 20000 : 100));
        if (t < 2) ExpectCallsWork(stub());
      }
      EXPECT_TRUE(IsOk(echo.Finish()));
    });
  }
  for (std::thread& t : threads) t.join();
}

TEST_F(PollingHandler, SleepsWhenItsClientDoesAndIsBack) {
  EchoStream echo(stub());
  for (int i = 0; i < 5; ++i) {
    // Longer than anybody polls. Nothing depends on how long.
    std::this_thread::sleep_for(milliseconds(5));
    EXPECT_TRUE(echo.Ping(kPings));
  }
  EXPECT_TRUE(IsOk(echo.Finish()));
}

TEST_F(PollingHandler, IsEndedByACancel) {
  EchoStream echo(stub());
  echo.context.TryCancel();
  EXPECT_EQ(echo.stream->Finish().error_code(), CANCELLED);
  EXPECT_TRUE(echo.script.AwaitEnd(observer()).was_cancelled());
  ExpectCallsWork(stub());
}

TEST_F(PollingHandler, IsEndedByItsDeadline) {
  EchoStream echo(stub(), milliseconds(1500));
  Item item;
  EXPECT_FALSE(echo.stream->Read(&item));
  EXPECT_EQ(echo.stream->Finish().error_code(), DEADLINE_EXCEEDED);
  EXPECT_TRUE(echo.script.AwaitEnd(observer()).was_cancelled());
  ExpectCallsWork(stub());
}

TEST_F(PollingHandler, IsEndedByItsOwnCallsEnd) {
  // It leads while it reads; another client's calls end and begin meanwhile.
  EchoStream echo(stub());
  for (int i = 0; i < 10; ++i) {
    EchoStream other(observer());
    EXPECT_TRUE(echo.Ping(10));
    EXPECT_TRUE(IsOk(other.Finish()));
  }
  EXPECT_TRUE(IsOk(echo.Finish()));
  ExpectCallsWork(stub());
}

TEST(PollingHandlers, AreEndedByAShutdownPastItsLimit) {
  const Watchdog dog(100, "a shutdown with handlers that poll");
  ScriptedServer server;
  EchoStream one(server.stub.get()), other(server.stub.get());
  server.process.BeginShutdown(milliseconds(50));
  EXPECT_EQ(one.stream->Finish().error_code(), UNAVAILABLE);
  EXPECT_EQ(other.stream->Finish().error_code(), UNAVAILABLE);
  server.process.AwaitDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
