// Deadlines of calls of every kind, wherever either side waits when they pass.
// What holds for unary calls alone is in deadline_test.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/support/server_name.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr char kExpired[] = "Deadline Exceeded";
constexpr milliseconds kShort(60);

using DeadlineOfEveryKind = EveryKind;

TEST_P(DeadlineOfEveryKind, PassedIsSeenByBothSides) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(kShort));
  const CallResult result = MakeCall(stub(), GetParam(), &context);
  EXPECT_TRUE(Is(result.status, DEADLINE_EXCEEDED, kExpired));
  EXPECT_EQ(result.response.payload(), "untouched");
  // It may have passed on the way there, and then no handler started.
  const int64_t started = script.AwaitStart(stub(), 0).started();
  const HandlerReport report = script.AwaitEnd(observer(), started);
  EXPECT_EQ(report.cancelled(), report.ended());
}

TEST_P(DeadlineOfEveryKind, PassedEndsACallWhoseHandlerNeverDoes) {
  HandlerScript script;
  script.HoldAt(script.name());
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(kShort));
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status,
                 DEADLINE_EXCEEDED, kExpired));
  PassGate(observer(), script.name());
}

TEST_P(DeadlineOfEveryKind, AlreadyPastNeverStartsTheHandler) {
  HandlerScript script;
  for (const auto deadline :
       {FromNow(-milliseconds(1)), std::chrono::system_clock::time_point()}) {
    ClientContext context;
    script.AddTo(&context);
    context.set_deadline(deadline);
    EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status,
                   DEADLINE_EXCEEDED, kExpired));
  }
  // Over the same connection, so the server has seen what came before it.
  EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
}

TEST_P(DeadlineOfEveryKind, TravelsToTheHandler) {
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(hours(1)));
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &context).status));
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_GT(report.deadline_remaining_ms(), 0);
  EXPECT_LE(report.deadline_remaining_ms(), 3600 * 1000);
}

TEST_P(DeadlineOfEveryKind, NoneIsInfinite) {
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &context).status));
  EXPECT_EQ(script.AwaitEnd(observer()).deadline_remaining_ms(), -1);
}

TEST_P(DeadlineOfEveryKind, OfTimespecAndSteadyClockWorkTheSame) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext steady, timespec, timespan;
  steady.set_deadline(std::chrono::steady_clock::now() + kShort);
  timespec.set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
                   gpr_time_from_millis(kShort.count(), GPR_TIMESPAN)));
  timespan.set_deadline(gpr_time_from_millis(kShort.count(), GPR_TIMESPAN));
  for (ClientContext* context : {&steady, &timespec, &timespan}) {
    script.AddTo(context);
    EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), context).status,
                   DEADLINE_EXCEEDED, kExpired));
  }
}

TEST_P(DeadlineOfEveryKind, PassesInWaitForReady) {
  auto nobody = Scripted::NewStub(NewChannel(NewTarget()));
  ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(FromNow(kShort));
  const CallResult result = MakeCall(nobody.get(), GetParam(), &context);
  EXPECT_TRUE(Is(result.status, DEADLINE_EXCEEDED, kExpired));
  EXPECT_EQ(result.response.payload(), "untouched");
}

INSTANTIATE_TEST_SUITE_P(, DeadlineOfEveryKind, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

using DeadlineOfStream = ScriptedTest;

// A bidirectional stream on which `wait` blocks until the deadline.
void ExpectEndsWait(
    Scripted::Stub* stub, Scripted::Stub* observer, const HandlerScript& script,
    const std::function<void(ClientReaderWriter<Item, Item>*)>& wait) {
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(kShort));
  auto stream = stub->Bidi(&context);
  wait(stream.get());
  Item item;
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_FALSE(stream->Write(item));
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, kExpired));
  const int64_t started = script.AwaitStart(stub, 0).started();
  const HandlerReport report = script.AwaitEnd(observer, started);
  EXPECT_EQ(report.cancelled(), report.ended());
}

TEST_F(DeadlineOfStream, EndsBlockedRead) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, [](auto* stream) {
    Item item;
    EXPECT_FALSE(stream->Read(&item));
  });
}

TEST_F(DeadlineOfStream, EndsBlockedWrite) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, [](auto* stream) {
    while (stream->Write(ItemOf(100000))) {
    }
  });
}

TEST_F(DeadlineOfStream, EndsBlockedNextMessageSize) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, [](auto* stream) {
    uint32_t size_bytes = 0;
    EXPECT_FALSE(stream->NextMessageSize(&size_bytes));
  });
}

TEST_F(DeadlineOfStream, EndsBlockedWaitForInitialMetadata) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script,
                 [](auto* stream) { stream->WaitForInitialMetadata(); });
}

TEST_F(DeadlineOfStream, EndsBlockedFinish) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(kShort));
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, kExpired));
}

TEST_F(DeadlineOfStream, EndsReadAndWriteOfTwoThreads) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(kShort));
  auto stream = stub()->Bidi(&context);
  std::thread reader([&] {
    Item item;
    EXPECT_FALSE(stream->Read(&item));
  });
  while (stream->Write(ItemOf(100000))) {
  }
  reader.join();
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, kExpired));
}

// The client does nothing, so the server itself has to know the time; or the
// client's next step tells it.
TEST_F(DeadlineOfStream, EndsReadOfTheHandler) {
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(2000)));
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->Write(ItemOf(10)));
  script.AwaitStep(observer(), 1, 1);
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_EQ(report.steps(0).messages(), 1);
  EXPECT_FALSE(report.steps(0).ok());
  EXPECT_TRUE(report.was_cancelled());
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, kExpired));
}

TEST_F(DeadlineOfStream, EndsWriteOfTheHandler) {
  HandlerScript script;
  script.Write(100000, 1000);
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(200)));
  auto stream = stub()->Bidi(&context);
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_LT(report.steps(0).messages(), 1000);
  EXPECT_FALSE(report.steps(0).ok());
  EXPECT_TRUE(report.was_cancelled());
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, kExpired));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
