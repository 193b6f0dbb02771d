// Cancelled calls of every kind: by the client, wherever it waits, and by the
// handler.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/support/server_name.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr char kByClient[] = "CANCELLED";
constexpr char kByServer[] = "Cancelled on the server side";

using CancelByClient = EveryKind;

TEST_P(CancelByClient, BeforeTheCallNeverStartsTheHandler) {
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  context.TryCancel();
  const CallResult result = MakeCall(stub(), GetParam(), &context);
  EXPECT_TRUE(Is(result.status, CANCELLED, kByClient));
  EXPECT_EQ(result.response.payload(), "untouched");
  EXPECT_TRUE(result.messages.empty());
  // Over the same connection, so the server has seen what came before it.
  EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
}

TEST_P(CancelByClient, DuringTheCallIsSeenByTheHandler) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  std::thread canceller([&] {
    script.AwaitStart(observer());
    context.TryCancel();
  });
  const CallResult result = MakeCall(stub(), GetParam(), &context);
  canceller.join();
  EXPECT_TRUE(Is(result.status, CANCELLED, kByClient));
  EXPECT_EQ(result.response.payload(), "untouched");
  EXPECT_TRUE(script.AwaitEnd(observer()).was_cancelled());
}

TEST_P(CancelByClient, WhenTheHandlerIgnoresItEndsTheCall) {
  HandlerScript script;
  // The gate opens over another connection, and may come before the cancel.
  script.HoldAt(script.name()).UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  std::thread canceller([&] {
    script.AwaitStart(observer());
    context.TryCancel();
  });
  EXPECT_TRUE(
      Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED, kByClient));
  canceller.join();
  EXPECT_EQ(script.AwaitStart(observer()).ended(), 0);
  PassGate(observer(), script.name());
  EXPECT_TRUE(script.AwaitEnd(observer()).was_cancelled());
}

TEST_P(CancelByClient, TwiceIsOnce) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  std::thread canceller([&] {
    script.AwaitStart(observer());
    context.TryCancel();
    context.TryCancel();
  });
  EXPECT_TRUE(
      Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED, kByClient));
  canceller.join();
  context.TryCancel();  // and after the end
  EXPECT_EQ(script.AwaitEnd(observer()).cancelled(), 1);
}

TEST_P(CancelByClient, AfterTheEndChangesNothing) {
  HandlerScript script;
  script.Return(ABORTED, "by itself");
  ClientContext context;
  script.AddTo(&context);
  const CallResult result = MakeCall(stub(), GetParam(), &context);
  context.TryCancel();
  EXPECT_TRUE(Is(result.status, ABORTED, "by itself"));
  HandlerScript next;
  ClientContext next_context;
  next.AddTo(&next_context);
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &next_context).status));
}

TEST_P(CancelByClient, InWaitForReadyEndsTheWait) {
  auto nobody = Scripted::NewStub(NewChannel(NewTarget()));
  ClientContext context;
  context.set_wait_for_ready(true);
  std::thread canceller([&] { context.TryCancel(); });
  EXPECT_TRUE(Is(MakeCall(nobody.get(), GetParam(), &context).status, CANCELLED,
                 kByClient));
  canceller.join();
}

TEST_P(CancelByClient, OfOneCallLeavesOthersAlone) {
  HandlerScript kept;
  kept.HoldAt(kept.name());
  ClientContext kept_context;
  kept.AddTo(&kept_context);
  CallResult result;
  std::thread keeper([&] {
    result = MakeCall(stub(), GetParam(), &kept_context, ItemOf(100));
  });
  kept.AwaitStart(observer());
  HandlerScript script;
  script.UntilCancelled();
  for (int i = 1; i <= 10; ++i) {
    ClientContext context;
    script.AddTo(&context);
    std::thread canceller([&] {
      script.AwaitStart(observer(), i);
      context.TryCancel();
    });
    EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED,
                   kByClient));
    canceller.join();
  }
  PassGate(observer(), kept.name());
  keeper.join();
  EXPECT_TRUE(IsOk(result.status));
  EXPECT_EQ(script.AwaitEnd(observer(), 10).cancelled(), 10);
  EXPECT_FALSE(kept.AwaitEnd(observer()).was_cancelled());
}

// TryCancel and the reply meet at random: one of the two outcomes, always.
TEST_P(CancelByClient, RacingTheReplyGivesEitherOutcome) {
  HandlerScript script;
  int cancelled = 0;
  constexpr int kCalls = 200;
  for (int i = 0; i < kCalls; ++i) {
    ClientContext context;
    script.AddTo(&context);
    std::thread canceller([&] { context.TryCancel(); });
    const Status status =
        MakeCall(stub(), GetParam(), &context, ItemOf(i * 100)).status;
    canceller.join();
    if (!status.ok()) {
      ASSERT_TRUE(Is(status, CANCELLED, kByClient));
      ++cancelled;
    }
  }
  // All that started have an end.
  const int64_t started = script.AwaitStart(stub(), 0).started();
  EXPECT_GE(started, kCalls - cancelled);
  script.AwaitEnd(observer(), started);
}

INSTANTIATE_TEST_SUITE_P(, CancelByClient, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

using CancelOfStream = ScriptedTest;

// A bidirectional stream on which `wait` blocks until it is cancelled.
void ExpectEndsWait(
    Scripted::Stub* stub, Scripted::Stub* observer, const HandlerScript& script,
    int64_t step,
    const std::function<void(ClientReaderWriter<Item, Item>*)>& wait) {
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub->Bidi(&context);
  std::thread canceller([&] {
    script.AwaitStep(observer, step);
    context.TryCancel();
  });
  wait(stream.get());
  canceller.join();
  Item item;
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_FALSE(stream->Write(item));
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByClient));
  EXPECT_TRUE(script.AwaitEnd(observer).was_cancelled());
}

TEST_F(CancelOfStream, EndsBlockedRead) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, 1, [](auto* stream) {
    Item item;
    EXPECT_FALSE(stream->Read(&item));
  });
}

TEST_F(CancelOfStream, EndsBlockedReadAfterMessages) {
  HandlerScript script;
  script.Write(100, 3).UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, 2, [](auto* stream) {
    Item item;
    while (stream->Read(&item)) {
    }
  });
}

TEST_F(CancelOfStream, EndsBlockedWrite) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, 1, [](auto* stream) {
    while (stream->Write(ItemOf(100000))) {
    }
  });
}

TEST_F(CancelOfStream, EndsBlockedNextMessageSize) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, 1, [](auto* stream) {
    uint32_t size_bytes = 0;
    EXPECT_FALSE(stream->NextMessageSize(&size_bytes));
  });
}

TEST_F(CancelOfStream, EndsBlockedWaitForInitialMetadata) {
  HandlerScript script;
  script.UntilCancelled();
  ExpectEndsWait(stub(), observer(), script, 1,
                 [](auto* stream) { stream->WaitForInitialMetadata(); });
}

TEST_F(CancelOfStream, EndsBlockedFinish) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  std::thread canceller([&] {
    script.AwaitStart(observer());
    context.TryCancel();
  });
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByClient));
  canceller.join();
  EXPECT_TRUE(script.AwaitEnd(observer()).was_cancelled());
}

TEST_F(CancelOfStream, EndsReadAndWriteOfTwoThreads) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  std::thread reader([&] {
    Item item;
    EXPECT_FALSE(stream->Read(&item));
  });
  std::thread writer([&] {
    while (stream->Write(ItemOf(100000))) {
    }
  });
  script.AwaitStart(observer());
  context.TryCancel();
  reader.join();
  writer.join();
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByClient));
  EXPECT_TRUE(script.AwaitEnd(observer()).was_cancelled());
}

TEST_F(CancelOfStream, EndsReadOfTheHandler) {
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->Write(ItemOf(10)));
  script.AwaitStep(observer(), 1, 1);
  context.TryCancel();
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_EQ(report.steps(0).messages(), 1);
  EXPECT_FALSE(report.steps(0).ok());
  EXPECT_TRUE(report.steps(0).cancelled());
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByClient));
}

TEST_F(CancelOfStream, EndsWriteOfTheHandler) {
  HandlerScript script;
  script.Write(100000, 1000);
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  script.AwaitStep(observer(), 1, 5);
  context.TryCancel();
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_LT(report.steps(0).messages(), 1000);
  EXPECT_FALSE(report.steps(0).ok());
  EXPECT_TRUE(report.steps(0).cancelled());
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByClient));
}

TEST_F(CancelOfStream, BeforeItStartsFailsEverything) {
  ClientContext context;
  context.TryCancel();
  auto stream = stub()->Bidi(&context);
  stream->WaitForInitialMetadata();
  Item item;
  uint32_t size_bytes = 0;
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_FALSE(stream->Write(item));
  EXPECT_FALSE(stream->NextMessageSize(&size_bytes));
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByClient));
}

using CancelByServer = EveryKind;

TEST_P(CancelByServer, EndsTheCallWhateverTheHandlerReturns) {
  const auto call = [&](const HandlerScript& script) {
    ClientContext context;
    script.AddTo(&context);
    const CallResult result = MakeCall(stub(), GetParam(), &context);
    EXPECT_EQ(result.response.payload(), "untouched");
    EXPECT_TRUE(script.AwaitEnd(observer()).was_cancelled());
    return result.status;
  };
  HandlerScript ok, error, thrown;
  ok.TryCancel();
  error.TryCancel().Return(NOT_FOUND, "too late");
  thrown.TryCancel().Throw("too late");
  for (const HandlerScript* script : {&ok, &error, &thrown}) {
    EXPECT_TRUE(Is(call(*script), CANCELLED, kByServer));
  }
}

TEST_P(CancelByServer, EndsTheCallBeforeTheHandlerReturns) {
  HandlerScript script;
  script.TryCancel().HoldAt(script.name());
  ClientContext context;
  script.AddTo(&context);
  EXPECT_TRUE(
      Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED, kByServer));
  EXPECT_EQ(script.AwaitStart(observer()).ended(), 0);
  PassGate(observer(), script.name());
  EXPECT_TRUE(script.AwaitEnd(observer()).steps(0).cancelled());
}

TEST_P(CancelByServer, StatusCancelledOfHandlerHasNoMessage) {
  HandlerScript script;
  script.Return(CANCELLED);
  ClientContext context;
  script.AddTo(&context);
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED, ""));
  EXPECT_FALSE(script.AwaitEnd(observer()).was_cancelled());
}

INSTANTIATE_TEST_SUITE_P(, CancelByServer, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

TEST_F(CancelOfStream, ByServerDeliversWhatWasWritten) {
  HandlerScript script;
  script.Write(100, 2).TryCancel().Write(100).Read(1);
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  Item item;
  EXPECT_TRUE(stream->Read(&item));
  EXPECT_TRUE(stream->Read(&item));
  EXPECT_FALSE(stream->Read(&item));
  while (stream->Write(ItemOf(100000))) {
  }
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, kByServer));
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_FALSE(report.steps(2).ok());  // nor can it write any more,
  EXPECT_FALSE(report.steps(3).ok());  // nor read
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
