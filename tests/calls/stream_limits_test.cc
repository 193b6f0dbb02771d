// Limits of message sizes on streams, on both sides and in both directions, to
// the byte, with gRPC's words. Unary calls: limits_test.

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kLimit = 50000;

// An item's payload is its field 1: a byte of tag and three of length.
constexpr int kPayloadAtLimit = kLimit - 4;
constexpr int kPayloadBeyond = kPayloadAtLimit + 1;

std::string Received(int64_t size_bytes, int limit_bytes = kLimit) {
  return "Received message larger than max (" + std::to_string(size_bytes) +
         " vs. " + std::to_string(limit_bytes) + ")";
}

std::string Sent(int64_t size_bytes) {
  return "Sent message larger than max (" + std::to_string(size_bytes) +
         " vs. " + std::to_string(kLimit) + ")";
}

ServerSettings Limits(int max_receive_bytes, int max_send_bytes) {
  ServerSettings settings;
  settings.max_receive_bytes = max_receive_bytes;
  settings.max_send_bytes = max_send_bytes;
  return settings;
}

std::unique_ptr<Scripted::Stub> LimitedClient(const ServerProcess& server,
                                              int max_receive, int max_send) {
  ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(max_receive);
  arguments.SetMaxSendMessageSize(max_send);
  return Scripted::NewStub(CreateCustomChannel(
      server.target(), InsecureChannelCredentials(), arguments));
}

void ExpectStillWorks(Scripted::Stub* stub) {
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  const CallResult result =
      MakeCall(stub, CallKind::kBidi, &context, ItemOf(1000));
  EXPECT_TRUE(IsOk(result.status));
  ASSERT_EQ(result.messages.size(), 1u);
  EXPECT_TRUE(IsItemOf(result.messages[0], 1000));
}

// The handler got the first message, and then the end of its stream.
void ExpectOneMessageRead(const HandlerScript& script,
                          Scripted::Stub* observer) {
  const HandlerReport report = script.AwaitEnd(observer);
  EXPECT_EQ(report.steps(0).messages(), 1);
  EXPECT_FALSE(report.steps(0).ok());
}

// A client writes one message at the limit and one beyond it.
void ExpectSecondMessageOfClientIs(Scripted::Stub* stub,
                                   Scripted::Stub* observer,
                                   const std::string& message) {
  ASSERT_EQ(ItemOf(kPayloadAtLimit).ByteSizeLong(), size_t{kLimit});
  {
    HandlerScript script;
    script.ReadAll();
    ClientContext context;
    script.AddTo(&context);
    Item response;
    response.set_payload("untouched");
    auto writer = stub->ClientStream(&context, &response);
    EXPECT_TRUE(writer->Write(ItemOf(kPayloadAtLimit)));
    script.AwaitStep(observer, 1, 1);
    writer->Write(ItemOf(kPayloadBeyond));
    writer->WritesDone();
    EXPECT_TRUE(Is(writer->Finish(), RESOURCE_EXHAUSTED, message));
    EXPECT_EQ(response.payload(), "untouched");
    ExpectOneMessageRead(script, observer);
  }
  {
    HandlerScript script;
    script.ReadAll();
    ClientContext context;
    script.AddTo(&context);
    auto stream = stub->Bidi(&context);
    EXPECT_TRUE(stream->Write(ItemOf(kPayloadAtLimit)));
    script.AwaitStep(observer, 1, 1);
    stream->Write(ItemOf(kPayloadBeyond));
    Item item;
    EXPECT_FALSE(stream->Read(&item));
    EXPECT_FALSE(stream->Write(ItemOf(1)));
    EXPECT_TRUE(Is(stream->Finish(), RESOURCE_EXHAUSTED, message));
    ExpectOneMessageRead(script, observer);
  }
  ExpectStillWorks(stub);
}

// A server writes one message at the limit and one beyond it.
void ExpectSecondMessageOfServerIs(Scripted::Stub* stub,
                                   Scripted::Stub* observer,
                                   const std::string& message) {
  HandlerScript script;
  script.Write(kPayloadAtLimit).Write(kPayloadBeyond).Write(1);
  for (const CallKind kind : {CallKind::kServerStream, CallKind::kBidi}) {
    ClientContext context;
    script.AddTo(&context);
    const CallResult result = MakeCall(stub, kind, &context);
    EXPECT_TRUE(Is(result.status, RESOURCE_EXHAUSTED, message));
    ASSERT_EQ(result.messages.size(), 1u);
    EXPECT_TRUE(IsItemOf(result.messages[0], kPayloadAtLimit));
  }
  script.AwaitEnd(observer, 2);
  ExpectStillWorks(stub);
}

TEST(StreamLimit, OfServersReceivingHolds) {
  ScriptedServer server(Limits(kLimit, -1));
  ExpectSecondMessageOfClientIs(server.stub.get(), server.observer.get(),
                                Received(kLimit + 1));
}

TEST(StreamLimit, OfClientsSendingHolds) {
  ScriptedServer server;
  auto stub = LimitedClient(server.process, -1, kLimit);
  ExpectSecondMessageOfClientIs(stub.get(), server.observer.get(),
                                Sent(kLimit + 1));
}

TEST(StreamLimit, OfClientsReceivingHolds) {
  ScriptedServer server;
  auto stub = LimitedClient(server.process, kLimit, -1);
  ExpectSecondMessageOfServerIs(stub.get(), server.observer.get(),
                                Received(kLimit + 1));
}

TEST(StreamLimit, OfServersSendingHolds) {
  ScriptedServer server(Limits(-1, kLimit));
  ExpectSecondMessageOfServerIs(server.stub.get(), server.observer.get(),
                                Sent(kLimit + 1));
}

TEST(StreamLimit, OfClientsReceivingEndsTheHandlersWrites) {
  ScriptedServer server;
  auto stub = LimitedClient(server.process, kLimit, -1);
  HandlerScript script;
  script.Write(kPayloadBeyond, 1000);
  ClientContext context;
  script.AddTo(&context);
  EXPECT_TRUE(Is(MakeCall(stub.get(), CallKind::kBidi, &context).status,
                 RESOURCE_EXHAUSTED, Received(kLimit + 1)));
  const HandlerReport report = script.AwaitEnd(server.observer.get());
  EXPECT_FALSE(report.steps(0).ok());
  EXPECT_TRUE(report.was_cancelled());
}

TEST(StreamLimit, HoldsForTheResponseToAClientStream) {
  ScriptedServer server, sends_little(Limits(-1, kLimit));
  auto receives_little = LimitedClient(server.process, kLimit, -1);
  const auto respond = [](Scripted::Stub* stub, int payload_bytes) {
    HandlerScript script;
    script.ReadAll().Respond(payload_bytes);
    ClientContext context;
    script.AddTo(&context);
    const CallResult result = MakeCall(stub, CallKind::kClientStream, &context);
    EXPECT_EQ(IsItemOf(result.response, payload_bytes), result.status.ok());
    return result.status;
  };
  EXPECT_TRUE(IsOk(respond(receives_little.get(), kPayloadAtLimit)));
  EXPECT_TRUE(Is(respond(receives_little.get(), kPayloadBeyond),
                 RESOURCE_EXHAUSTED, Received(kLimit + 1)));
  EXPECT_TRUE(IsOk(respond(sends_little.stub.get(), kPayloadAtLimit)));
  EXPECT_TRUE(Is(respond(sends_little.stub.get(), kPayloadBeyond),
                 RESOURCE_EXHAUSTED, Sent(kLimit + 1)));
}

TEST(StreamLimit, HoldsForTheRequestOfAServerStream) {
  ScriptedServer server, receives_little(Limits(kLimit, -1));
  auto sends_little = LimitedClient(server.process, -1, kLimit);
  const auto request = [](Scripted::Stub* stub, int payload_bytes) {
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    return MakeCall(stub, CallKind::kServerStream, &context,
                    ItemOf(payload_bytes))
        .status;
  };
  EXPECT_TRUE(IsOk(request(sends_little.get(), kPayloadAtLimit)));
  EXPECT_TRUE(Is(request(sends_little.get(), kPayloadBeyond),
                 RESOURCE_EXHAUSTED, Sent(kLimit + 1)));
  EXPECT_TRUE(IsOk(request(receives_little.stub.get(), kPayloadAtLimit)));
  EXPECT_TRUE(Is(request(receives_little.stub.get(), kPayloadBeyond),
                 RESOURCE_EXHAUSTED, Received(kLimit + 1)));
}

TEST(StreamLimit, OfReceivingIs4MiBByDefault) {
  ScriptedServer server(Limits(kDefaultMaxReceiveMessageBytes, -1));
  auto stub = Scripted::NewStub(
      CreateChannel(server.process.target(), InsecureChannelCredentials()));
  HandlerScript reads, writes;
  reads.ReadAll();
  writes.Write(5000000);
  ClientContext reads_context, writes_context;
  reads.AddTo(&reads_context);
  writes.AddTo(&writes_context);
  const Item large = ItemOf(5000000);
  const std::string message =
      Received(static_cast<int64_t>(large.ByteSizeLong()), 4194304);
  EXPECT_TRUE(
      Is(MakeCall(stub.get(), CallKind::kBidi, &reads_context, large).status,
         RESOURCE_EXHAUSTED, message));
  EXPECT_TRUE(Is(MakeCall(stub.get(), CallKind::kBidi, &writes_context).status,
                 RESOURCE_EXHAUSTED, message));
}

TEST(StreamLimit, NoneLetsAnyLengthThrough) {
  ScriptedServer server;
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  const CallResult result =
      MakeCall(server.stub.get(), CallKind::kBidi, &context, ItemOf(20000000));
  EXPECT_TRUE(IsOk(result.status));
  ASSERT_EQ(result.messages.size(), 1u);
  EXPECT_TRUE(IsItemOf(result.messages[0], 20000000));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
