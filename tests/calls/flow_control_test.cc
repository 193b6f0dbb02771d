// A reader that is behind stops its own sender, after a bounded amount of data
// that is counted here, and nobody else.

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

// More than a window, which is not part of the contract; much less than what
// these tests would write if nothing stopped them.
constexpr int64_t kBoundBytes = 4 << 20;
// So much gets away without a reader.
constexpr int64_t kLeastBytes = 64 << 10;

using FlowControl = ScriptedTest;

// Bytes that a client gets rid of before its deadline, to a handler that never
// reads.
int64_t BytesWrittenToNobody(Scripted::Stub* stub, size_t message_bytes) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(500)));
  auto stream = stub->Bidi(&context);
  int64_t bytes = 0;
  const Item item = ItemOf(message_bytes);
  while (stream->Write(item)) bytes += static_cast<int64_t>(message_bytes);
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, "Deadline Exceeded"));
  return bytes;
}

TEST_F(FlowControl, StopsClientWhoseHandlerNeverReads) {
  for (const size_t message_bytes : {1000, 8192, 100000, 1000000}) {
    const int64_t bytes = BytesWrittenToNobody(stub(), message_bytes);
    EXPECT_GE(bytes, kLeastBytes) << message_bytes;
    EXPECT_LE(bytes, kBoundBytes) << message_bytes;
  }
}

// Empty messages are not free.
TEST_F(FlowControl, StopsClientThatWritesNothingButEmptyMessages) {
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(1000)));
  auto stream = stub()->Bidi(&context);
  int64_t messages = 0;
  while (stream->Write(Item())) ++messages;
  EXPECT_LE(messages, 100000);
}

TEST_F(FlowControl, StopsHandlerWhoseClientNeverReads) {
  for (const int64_t message_bytes : {1000, 8192, 100000, 1000000}) {
    HandlerScript script;
    script.Write(message_bytes, 1 << 30);
    ClientContext context;
    script.AddTo(&context);
    context.set_deadline(FromNow(milliseconds(500)));
    auto stream = stub()->Bidi(&context);
    const HandlerReport report = script.AwaitEnd(observer());
    EXPECT_FALSE(report.steps(0).ok());
    EXPECT_GE(report.steps(0).bytes(), kLeastBytes) << message_bytes;
    EXPECT_LE(report.steps(0).bytes(), kBoundBytes) << message_bytes;
  }
}

TEST_F(FlowControl, OneMessageOfAnyLengthPasses) {
  HandlerScript script;
  script.HoldAt(script.name()).ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  const Item item = ItemOf(3 * kBoundBytes);
  EXPECT_TRUE(stream->Write(item));  // although nobody reads
  PassGate(observer(), script.name());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(stream->Write(item));
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(1).messages(), 5);
}

// Both directions of everything else on the channel.
void ExpectOthersGoOn(Scripted::Stub* stub) {
  for (int i = 0; i < 20; ++i) {
    HandlerScript script;
    script.Echo();
    ClientContext context;
    script.AddTo(&context);
    auto stream = stub->Bidi(&context);
    for (const size_t size : {100, 8000, 300000}) {
      ASSERT_TRUE(stream->Write(ItemOf(size, i)));
      Item item;
      ASSERT_TRUE(stream->Read(&item));
      ASSERT_TRUE(IsItemOf(item, size, i));
    }
    EXPECT_TRUE(stream->WritesDone());
    EXPECT_TRUE(IsOk(stream->Finish()));
    HandlerScript unary;
    ClientContext unary_context;
    unary.AddTo(&unary_context);
    const CallResult result =
        MakeCall(stub, CallKind::kUnary, &unary_context, ItemOf(300000, i));
    EXPECT_TRUE(IsOk(result.status));
    EXPECT_TRUE(IsItemOf(result.response, 300000, i));
  }
}

TEST_F(FlowControl, StoppedClientHoldsUpNobody) {
  constexpr int64_t kMessages = 500;
  HandlerScript script;
  script.HoldAt(script.name()).ReadAll();
  ClientContext context;
  script.AddTo(&context);
  Item response;
  auto writer = stub()->ClientStream(&context, &response);
  std::thread writing([&] {
    for (int64_t i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(writer->Write(ItemOf(100000, i)));
    }
    EXPECT_TRUE(writer->WritesDone());
  });
  script.AwaitStart(observer());
  ExpectOthersGoOn(stub());
  PassGate(observer(), script.name());
  writing.join();
  EXPECT_TRUE(IsOk(writer->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(1).messages(), kMessages);
}

TEST_F(FlowControl, StoppedHandlersHoldUpNobody) {
  constexpr int kStreams = 4;
  constexpr int64_t kMessages = 300;
  std::vector<HandlerScript> scripts(kStreams);
  std::vector<ClientContext> contexts(kStreams);
  std::vector<std::unique_ptr<ClientReader<Item>>> readers;
  for (int s = 0; s < kStreams; ++s) {
    scripts[s].Write(100000, kMessages);
    scripts[s].AddTo(&contexts[s]);
    readers.push_back(stub()->ServerStream(&contexts[s], Item()));
    scripts[s].AwaitStep(observer(), 1, 5);
  }
  ExpectOthersGoOn(stub());
  for (int s = 0; s < kStreams; ++s) {
    const HandlerReport report = scripts[s].AwaitStart(observer());
    EXPECT_LE(report.steps(0).bytes(), kBoundBytes);
    EXPECT_EQ(report.ended(), 0);
  }
  // The last one's reader does not wait for the others'.
  for (int s = kStreams - 1; s >= 0; --s) {
    Item item;
    for (int64_t i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(readers[s]->Read(&item));
      ASSERT_TRUE(IsItemOf(item, 100000, i));
      // Never more than a bound ahead of its reader.
      if (i % 50 == 0) {
        EXPECT_LE(scripts[s].AwaitStart(observer()).steps(0).messages(),
                  i + 1 + kBoundBytes / 100000);
      }
    }
    EXPECT_FALSE(readers[s]->Read(&item));
    EXPECT_TRUE(IsOk(readers[s]->Finish()));
  }
}

// Both sides write before they read: each gets a window ahead of the other, so
// that both reach the read.
TEST_F(FlowControl, BothSidesMayWriteFirst) {
  HandlerScript script;
  script.Write(10000, 20).Read(20).ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream->Write(ItemOf(10000, i)));
  Item item;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(stream->Read(&item));
    EXPECT_TRUE(IsItemOf(item, 10000, i));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(1).messages(), 20);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
