// Server::Shutdown: lets calls in flight end, or cancels them at its deadline;
// takes no new ones, frees names.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/support/server_process.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Calls on `stub` until one is refused, as all are from then on.
Status FirstRefusal(EchoService::Stub* stub) {
  for (;;) {
    EchoReply reply;
    const Status status = Echo(stub, EchoRequest(), &reply);
    if (!status.ok()) return status;
  }
}

TEST(Shutdown, WithNothingInFlightEndsAndNewCallsAreUnavailable) {
  ServerProcess server;
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EXPECT_TRUE(EchoesBack(stub.get(), "up"));
  server.BeginShutdown();
  server.AwaitDown();
  EchoReply reply;
  EXPECT_EQ(Echo(stub.get(), EchoRequest(), &reply).error_code(), UNAVAILABLE);
}

TEST(Shutdown, BeforeAnyClientEnds) {
  ServerProcess server;
  server.BeginShutdown();
  server.AwaitDown();
}

TEST(Shutdown, LetsCallsInFlightEndOk) {
  ServerProcess server;
  auto channel = NewChannel(server.target());
  auto probe = Probe::NewStub(channel);
  auto echo = EchoService::NewStub(channel);
  Status held;
  HoldReply held_reply;
  std::thread holder([&] {
    HoldRequest request;
    request.set_gate("g");
    request.set_payload("held through the shutdown");
    ClientContext context;
    held = probe->Hold(&context, request, &held_reply);
  });
  AwaitGate(probe.get(), "g", 1);
  server.BeginShutdown();
  EXPECT_EQ(FirstRefusal(echo.get()).error_code(), UNAVAILABLE);
  // Nor does another channel get through.
  auto other = EchoService::NewStub(NewChannel(server.target()));
  EchoReply reply;
  EXPECT_EQ(Echo(other.get(), EchoRequest(), &reply).error_code(), UNAVAILABLE);
  server.OpenGate("g");
  holder.join();
  EXPECT_TRUE(IsOk(held));
  EXPECT_EQ(held_reply.payload(), "held through the shutdown");
  EXPECT_FALSE(held_reply.cancelled());
  server.AwaitDown();
}

// More replies at once than the ring holds.
void LetManyEndOk(int64_t reply_size_bytes) {
  constexpr int kCalls = 64;
  ServerProcess server;
  auto channel = NewChannel(server.target());
  auto probe = Probe::NewStub(channel);
  auto echo = EchoService::NewStub(channel);
  std::vector<std::thread> threads;
  for (int t = 0; t < kCalls; ++t) {
    threads.emplace_back([&, t] {
      HoldRequest request;
      request.set_gate("g");
      request.set_payload(Pattern(1000, t));
      request.set_reply_size_bytes(reply_size_bytes);
      HoldReply reply;
      ClientContext context;
      EXPECT_TRUE(IsOk(probe->Hold(&context, request, &reply)));
      EXPECT_TRUE(reply.payload() ==
                  Repeated(request.payload(), reply_size_bytes));
    });
  }
  auto observer = Probe::NewStub(NewChannel(server.target()));
  AwaitGate(observer.get(), "g", kCalls);
  server.BeginShutdown();
  EXPECT_EQ(FirstRefusal(echo.get()).error_code(), UNAVAILABLE);
  server.OpenGate("g");
  for (std::thread& t : threads) t.join();
  server.AwaitDown();
}

TEST(Shutdown, LetsMoreRepliesThanTheRingHoldsArrive) {
  for (int i = 0; i < 3; ++i) LetManyEndOk(8000);
}

TEST(Shutdown, LetsManyLargeRepliesArrive) { LetManyEndOk(300000); }

// The first large reply of a connection, whose segment the client has yet to
// open when the server is about to go.
TEST(Shutdown, LetsFirstLargeReplyOfEachClientArrive) {
  constexpr int kClients = 8;
  for (int round = 0; round < 10; ++round) {
    ServerProcess server;
    std::vector<std::thread> threads;
    for (int t = 0; t < kClients; ++t) {
      threads.emplace_back([&, t] {
        auto probe = Probe::NewStub(NewChannel(server.target()));
        HoldRequest request;
        request.set_gate("g");
        request.set_payload(Pattern(1000, t));
        request.set_reply_size_bytes(100000);
        HoldReply reply;
        ClientContext context;
        EXPECT_TRUE(IsOk(probe->Hold(&context, request, &reply)));
        EXPECT_TRUE(reply.payload() == Repeated(request.payload(), 100000));
      });
    }
    {
      auto observer = Probe::NewStub(NewChannel(server.target()));
      AwaitGate(observer.get(), "g", kClients);
    }
    server.BeginShutdown();
    server.OpenGate("g");
    for (std::thread& t : threads) t.join();
    server.AwaitDown();
  }
}

TEST(Shutdown, WhileThreadsKeepCallingAccountsForEveryCall) {
  constexpr int kThreads = 8;
  ServerProcess server;
  auto channel = NewChannel(server.target());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto stub = EchoService::NewStub(channel);
      EchoRequest request;
      request.set_payload(Pattern(t * 3000, t));
      for (;;) {
        EchoReply reply;
        const Status status = Echo(stub.get(), request, &reply);
        if (!status.ok()) {
          EXPECT_EQ(status.error_code(), UNAVAILABLE) << status;
          return;
        }
        EXPECT_TRUE(reply.payload() == request.payload());
      }
    });
  }
  auto stub = EchoService::NewStub(channel);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(EchoesBack(stub.get(), "warm"));
  server.BeginShutdown();
  server.AwaitDown();
  for (std::thread& t : threads) t.join();
}

TEST(Shutdown, LetsStreamsGoOnUntilTheyEnd) {
  ScriptedServer server;
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  auto stream = server.stub->Bidi(&context);
  Item item;
  EXPECT_TRUE(stream->Write(ItemOf(10)));
  EXPECT_TRUE(stream->Read(&item));
  server.process.BeginShutdown();
  // Until it has begun, new calls are served.
  Status refused;
  do {
    ClientContext new_context;
    HandlerScript new_script;
    new_script.AddTo(&new_context);
    refused = MakeCall(server.stub.get(), CallKind::kServerStream, &new_context)
                  .status;
  } while (refused.ok());
  EXPECT_EQ(refused.error_code(), UNAVAILABLE);
  for (const size_t size : {100, 20000, 3000000}) {
    EXPECT_TRUE(stream->Write(ItemOf(size, 1)));
    EXPECT_TRUE(stream->Read(&item));
    EXPECT_TRUE(IsItemOf(item, size, 1));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_TRUE(IsOk(stream->Finish()));
  server.process.AwaitDown();
}

class ShutdownByDeadline : public ::testing::TestWithParam<CallKind> {};

TEST_P(ShutdownByDeadline, CancelsCallsThatAreStillInFlight) {
  ScriptedServer server;
  HandlerScript script;
  script.UntilCancelled().Return(ABORTED, "too late");
  ClientContext context;
  script.AddTo(&context);
  CallResult result;
  std::thread caller(
      [&] { result = MakeCall(server.stub.get(), GetParam(), &context); });
  script.AwaitStart(server.observer.get());
  server.process.BeginShutdown(std::chrono::milliseconds(50));
  caller.join();
  EXPECT_TRUE(Is(result.status, UNAVAILABLE, "Cancelling all calls"));
  EXPECT_EQ(result.response.payload(), "untouched");
  // And it returns, so the handler has: it saw the cancel.
  server.process.AwaitDown();
}

TEST_P(ShutdownByDeadline, ThatIsPastCancelsAtOnce) {
  ScriptedServer server;
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  CallResult result;
  std::thread caller(
      [&] { result = MakeCall(server.stub.get(), GetParam(), &context); });
  script.AwaitStart(server.observer.get());
  server.process.BeginShutdown(std::chrono::milliseconds(-1));
  caller.join();
  EXPECT_TRUE(Is(result.status, UNAVAILABLE, "Cancelling all calls"));
  server.process.AwaitDown();
}

TEST_P(ShutdownByDeadline, LetsCallsThatEndBeforeItBe) {
  ScriptedServer server;
  HandlerScript script;
  script.HoldAt("g");
  ClientContext context;
  script.AddTo(&context);
  CallResult result;
  std::thread caller(
      [&] { result = MakeCall(server.stub.get(), GetParam(), &context); });
  script.AwaitStart(server.observer.get());
  server.process.BeginShutdown(std::chrono::hours(1));
  server.process.OpenGate("g");
  caller.join();
  EXPECT_TRUE(IsOk(result.status));
  server.process.AwaitDown();
}

TEST_P(ShutdownByDeadline, EndsBlockedReadsAndWritesOfHandlers) {
  for (const bool reads : {true, false}) {
    if (reads ? !ClientStreams(GetParam()) : !ServerStreams(GetParam())) {
      continue;
    }
    ScriptedServer server;
    HandlerScript script;
    if (reads) {
      script.ReadAll();
    } else {
      script.Write(100000, 1 << 30);
    }
    ClientContext context;
    script.AddTo(&context);
    Item response;
    std::unique_ptr<ClientWriter<Item>> writer;
    std::unique_ptr<ClientReader<Item>> reader;
    std::unique_ptr<ClientReaderWriter<Item, Item>> both;
    if (GetParam() == CallKind::kClientStream) {
      writer = server.stub->ClientStream(&context, &response);
    } else if (GetParam() == CallKind::kServerStream) {
      reader = server.stub->ServerStream(&context, Item());
    } else {
      both = server.stub->Bidi(&context);
    }
    script.AwaitStart(server.observer.get());
    server.process.BeginShutdown(std::chrono::milliseconds(20));
    Item item;
    while (reader != nullptr && reader->Read(&item)) {
    }
    while (both != nullptr && both->Read(&item)) {
    }
    const Status status = writer != nullptr   ? writer->Finish()
                          : reader != nullptr ? reader->Finish()
                                              : both->Finish();
    EXPECT_TRUE(Is(status, UNAVAILABLE, "Cancelling all calls"));
    server.process.AwaitDown();
  }
}

INSTANTIATE_TEST_SUITE_P(, ShutdownByDeadline, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

TEST(Shutdown, NewClientsAreToldSoOrWaitForTheNextServer) {
  Watchdog dog(60, "a client of a server that is shutting down");
  ServerSettings same;
  ClientContext held_context;
  std::unique_ptr<ClientReaderWriter<Item, Item>> held;
  Status waited;
  std::thread waiting;
  {
    ScriptedServer server;
    same.targets = {server.process.target()};
    HandlerScript script;
    script.Echo();
    script.AddTo(&held_context);
    held = server.stub->Bidi(&held_context);
    Item item;
    EXPECT_TRUE(held->Write(ItemOf(10)));
    EXPECT_TRUE(held->Read(&item));
    server.process.BeginShutdown();
    Status refused;
    do {
      auto stub = EchoService::NewStub(NewChannel(same.targets[0]));
      EchoReply reply;
      refused = Echo(stub.get(), EchoRequest(), &reply);
    } while (refused.ok());
    // One that had connected before may yet be told by its call.
    const auto stub = EchoService::NewStub(NewChannel(same.targets[0]));
    EchoReply reply;
    refused = Echo(stub.get(), EchoRequest(), &reply);
    EXPECT_EQ(refused.error_code(), UNAVAILABLE);
    EXPECT_THAT(refused.error_message(),
                AllOf(HasSubstr("refused the connection"),
                      HasSubstr("it is shutting down")));
    waiting = std::thread([&] {
      ClientContext context;
      context.set_wait_for_ready(true);
      const auto patient = EchoService::NewStub(NewChannel(same.targets[0]));
      EchoReply patient_reply;
      waited = patient->Echo(&context, EchoRequest(), &patient_reply);
    });
    EXPECT_TRUE(held->WritesDone());
    EXPECT_FALSE(held->Read(&item));
    EXPECT_TRUE(IsOk(held->Finish()));
    server.process.AwaitDown();
  }
  ServerProcess next(same);
  waiting.join();
  EXPECT_TRUE(IsOk(waited));
}

TEST(Shutdown, FreesNameForNextServer) {
  ServerProcess first;
  ServerSettings same;
  same.targets = {first.target()};
  auto stub = EchoService::NewStub(NewChannel(first.target()));
  EXPECT_TRUE(EchoesBack(stub.get(), "first"));
  first.BeginShutdown();
  first.AwaitDown();
  ServerProcess second(same);  // while the first process still lives
  EchoReply reply;
  EXPECT_TRUE(IsOk(Echo(stub.get(), EchoRequest(), &reply)));
  EXPECT_EQ(reply.server_pid(), second.pid());
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
