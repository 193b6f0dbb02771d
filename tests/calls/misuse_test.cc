// Programs that do not do as they should: each gets a clear answer, and the
// other side goes on.

#include <chrono>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/generated.h"
#include "tests/support/client.h"
#include "tests/support/log_capture.h"
#include "tests/support/script.h"
#include "tests/support/script_service.h"
#include "tests/support/scripted.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class Misuse : public ScriptedTest {
 protected:
  void TearDown() override {
    for (const CallKind kind : kCallKinds) {
      HandlerScript script;
      ClientContext context;
      script.AddTo(&context);
      EXPECT_TRUE(IsOk(MakeCall(stub(), kind, &context, ItemOf(100000)).status))
          << kind;
    }
  }
};

TEST_F(Misuse, ContextUsedTwiceSaysSo) {
  for (const CallKind first : kCallKinds) {
    for (const CallKind second : kCallKinds) {
      HandlerScript script;
      ClientContext context;
      script.AddTo(&context);
      EXPECT_TRUE(IsOk(MakeCall(stub(), first, &context).status));
      const CallResult result = MakeCall(stub(), second, &context);
      EXPECT_EQ(result.status.error_code(), INVALID_ARGUMENT);
      EXPECT_THAT(result.status.error_message(), HasSubstr("ClientContext"));
      EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 1);
    }
  }
}

TEST_F(Misuse, ContextOfACallInFlightUsedAgainSaysSo) {
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  for (const CallKind kind : kCallKinds) {
    EXPECT_EQ(MakeCall(stub(), kind, &context).status.error_code(),
              INVALID_ARGUMENT);
  }
  EXPECT_TRUE(stream->Write(ItemOf(10)));  // the first goes on
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(0).messages(), 1);
}

TEST_F(Misuse, WriteAfterWritesDoneIsFalseAndLogged) {
  HandlerScript script;
  script.ReadAll();
  LogCapture log;
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->Write(ItemOf(10)));
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_FALSE(stream->Write(ItemOf(10)));
  EXPECT_THAT(log.Text(), HasSubstr("Write"));
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(0).messages(), 1);
}

TEST_F(Misuse, WriteAfterWriteLastIsFalseAndLogged) {
  HandlerScript script;
  script.ReadAll();
  LogCapture log;
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  stream->WriteLast(ItemOf(10), WriteOptions());
  EXPECT_FALSE(stream->Write(ItemOf(10)));
  EXPECT_THAT(log.Text(), HasSubstr("Write"));
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(0).messages(), 1);
}

TEST_F(Misuse, WritesDoneTwiceEndsOnce) {
  HandlerScript script;
  script.ReadAll();
  LogCapture log;
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->WritesDone());
  stream->WritesDone();
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Misuse, HandlersWriteAfterWriteLastIsNotSent) {
  HandlerScript script;
  script.WriteLast(10).Write(20).Return(ABORTED, "end");
  ClientContext context;
  script.AddTo(&context);
  const CallResult result = MakeCall(stub(), CallKind::kBidi, &context);
  EXPECT_TRUE(Is(result.status, ABORTED, "end"));
  EXPECT_EQ(result.messages.size(), 1u);
  EXPECT_FALSE(script.AwaitEnd(observer()).steps(1).ok());
}

TEST_F(Misuse, FinishTwiceReturns) {
  HandlerScript script;
  script.Return(ABORTED, "once");
  LogCapture log;
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub()->ServerStream(&context, Item());
  EXPECT_TRUE(Is(reader->Finish(), ABORTED, "once"));
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(Misuse, StreamUsedAfterFinishFails) {
  HandlerScript script;
  LogCapture log;
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
  Item item;
  uint32_t size_bytes = 0;
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_FALSE(stream->NextMessageSize(&size_bytes));
  EXPECT_FALSE(stream->Write(item));
  stream->WaitForInitialMetadata();
}

TEST_F(Misuse, InitialMetadataSentTwiceIsSentOnce) {
  HandlerScript script;
  script.InitialMetadata("x-i", "1").SendInitialMetadata();
  script.SendInitialMetadata().Write(10).SendInitialMetadata();
  ClientContext context;
  script.AddTo(&context);
  const CallResult result = MakeCall(stub(), CallKind::kBidi, &context);
  EXPECT_TRUE(IsOk(result.status));
  EXPECT_EQ(result.messages.size(), 1u);
  EXPECT_EQ(context.GetServerInitialMetadata().size(), 1u);
}

TEST_F(Misuse, HandlerThatNeverReadsNorEndsIsLeftAtTheDeadline) {
  for (const CallKind kind : {CallKind::kClientStream, CallKind::kBidi}) {
    HandlerScript script;
    script.HoldAt(script.name());
    ClientContext context;
    script.AddTo(&context);
    context.set_deadline(FromNow(milliseconds(100)));
    EXPECT_TRUE(Is(MakeCall(stub(), kind, &context, ItemOf(10 << 20)).status,
                   DEADLINE_EXCEEDED, "Deadline Exceeded"));
    PassGate(observer(), script.name());
  }
}

TEST_F(Misuse, HandlerThatLeavesMessagesUnreadEndsWell) {
  HandlerScript script;
  script.Read(1).Respond(5);
  ClientContext context;
  script.AddTo(&context);
  Item response;
  auto writer = stub()->ClientStream(&context, &response);
  for (int i = 0; i < 10; ++i) writer->Write(ItemOf(50000));
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(IsOk(writer->Finish()));
  EXPECT_TRUE(IsItemOf(response, 5));
}

// --- kinds that do not agree, as with two versions of a schema

constexpr char kUnary[] = "/shmrpc.testing.Scripted/Unary";
constexpr char kClientStream[] = "/shmrpc.testing.Scripted/ClientStream";
constexpr char kServerStream[] = "/shmrpc.testing.Scripted/ServerStream";
constexpr char kBidi[] = "/shmrpc.testing.Scripted/Bidi";

TEST_F(Misuse, NoRequestForOneThatIsNeededIsInternal) {
  for (const char* name : {kUnary, kServerStream}) {
    const internal::RpcMethod method(name);
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    Item response;
    auto stream = channel()->StartStream(method, &context, nullptr, &response);
    stream->WritesDone();
    const Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), INTERNAL) << status;
    EXPECT_NE(status.error_message(), "");
    EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
  }
}

TEST_F(Misuse, UnaryCallOfAStreamThatAnswersOnceWorks) {
  const internal::RpcMethod method(kBidi);
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  Item response;
  EXPECT_TRUE(IsOk(channel()->BlockingUnaryCall(method, &context, ItemOf(30000),
                                                &response)));
  EXPECT_TRUE(IsItemOf(response, 30000));
}

TEST_F(Misuse, UnaryCallOfAStreamThatAnswersNotOnceIsUnimplemented) {
  for (const char* name : {kServerStream, kBidi}) {
    const internal::RpcMethod method(name);
    for (const int64_t answers : {0, 2, 1000}) {
      HandlerScript script;
      if (answers > 0) script.Write(100000, answers);
      ClientContext context;
      script.AddTo(&context);
      Item response;
      response.set_payload("untouched");
      EXPECT_EQ(channel()
                    ->BlockingUnaryCall(method, &context, Item(), &response)
                    .error_code(),
                UNIMPLEMENTED)
          << name << " " << answers;
      EXPECT_EQ(response.payload(), "untouched");
    }
  }
}

TEST_F(Misuse, UnaryCallOfAClientStreamWorks) {
  const internal::RpcMethod method(kClientStream);
  HandlerScript script;
  script.ReadAll().Respond(10);
  ClientContext context;
  script.AddTo(&context);
  Item response;
  EXPECT_TRUE(IsOk(
      channel()->BlockingUnaryCall(method, &context, ItemOf(10), &response)));
  EXPECT_TRUE(IsItemOf(response, 10));
}

TEST_F(Misuse, StreamOfANameNobodyServesIsUnimplemented) {
  const internal::RpcMethod method("/shmrpc.testing.Scripted/Unheard");
  ClientContext context;
  auto stream = channel()->StartStream(method, &context, nullptr, nullptr);
  Item item;
  EXPECT_FALSE(stream->Read(&item));
  while (stream->Write(ItemOf(100000), WriteOptions())) {
  }
  EXPECT_TRUE(Is(stream->Finish(), UNIMPLEMENTED, ""));
}

TEST_F(Misuse, UnparseableRequestIsInternal) {
  FailRequest junk;  // has bytes where Item has a text
  junk.set_message("\xff\xfe");
  for (const char* name : {kUnary, kServerStream}) {
    const internal::RpcMethod method(name);
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    Item response;
    auto stream = channel()->StartStream(method, &context, &junk, &response);
    EXPECT_TRUE(Is(stream->Finish(), INTERNAL, ""));
    EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
  }
}

TEST_F(Misuse, UnparseableMessageOfAClientEndsTheCall) {
  FailRequest junk;
  junk.set_message("\xff\xfe");
  for (const char* name : {kClientStream, kBidi}) {
    const internal::RpcMethod method(name);
    HandlerScript script;
    script.ReadAll();
    ClientContext context;
    script.AddTo(&context);
    Item response;
    auto stream = channel()->StartStream(method, &context, nullptr, &response);
    EXPECT_TRUE(stream->Write(ItemOf(10), WriteOptions()));
    EXPECT_TRUE(stream->Write(junk, WriteOptions()));
    EXPECT_TRUE(Is(stream->Finish(), INTERNAL, ""));
    const HandlerReport report = script.AwaitEnd(observer());
    EXPECT_EQ(report.steps(0).messages(), 1);
    EXPECT_FALSE(report.steps(0).ok());
  }
}

TEST_F(Misuse, UnparseableMessageOfAServerEndsTheCall) {
  const internal::RpcMethod method(kBidi);
  for (const int64_t size : {100, 100000}) {
    HandlerScript script;
    script.Write(0).Write(size).UntilCancelled();
    ClientContext context;
    script.AddTo(&context);
    auto stream = channel()->StartStream(method, &context, nullptr, nullptr);
    GateName text;  // where Item has bytes
    EXPECT_TRUE(stream->Read(&text));
    EXPECT_FALSE(stream->Read(&text));
    EXPECT_FALSE(stream->Read(&text));
    EXPECT_EQ(stream->Finish().error_code(), INTERNAL);
    EXPECT_TRUE(script.AwaitEnd(observer()).was_cancelled());
  }
}

TEST_F(Misuse, UnparseableResponseIsUnimplemented) {
  for (const char* name : {kUnary, kClientStream}) {
    const internal::RpcMethod method(name);
    for (const int64_t size : {100, 100000}) {
      HandlerScript script;
      script.Respond(size);
      ClientContext context;
      script.AddTo(&context);
      GateName text;
      const Item request;
      auto stream = channel()->StartStream(
          method, &context, name == kUnary ? &request : nullptr, &text);
      if (name == kClientStream) stream->WritesDone();
      EXPECT_TRUE(Is(stream->Finish(), UNIMPLEMENTED,
                     "No message returned for unary request"));
    }
  }
}

TEST_F(Misuse, HandlerThatThrowsIsUnknown) {
  for (const CallKind kind : kCallKinds) {
    for (const char* thrown : {"int", "a text"}) {
      HandlerScript script;
      script.Throw(thrown);
      ClientContext context;
      script.AddTo(&context);
      const CallResult result = MakeCall(stub(), kind, &context);
      EXPECT_TRUE(
          Is(result.status, UNKNOWN, "Unexpected error in RPC handling"));
      EXPECT_EQ(result.response.payload(), "untouched");
    }
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
