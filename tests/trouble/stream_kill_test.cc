// One side is killed in the middle of a stream: what had arrived is read, what
// waits ends, and the other side goes on.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

void ExpectServerEnded(const Status& status, const ScriptedServer& server) {
  ExpectUnavailable(status, {server.process.target(), "ended"});
}

TEST(ServerKilledInStream, DeliversWhatHadArrived) {
  for (const int64_t size : {10, 8000, 100000}) {
    ScriptedServer server;
    Watchdog dog(60, "a stream whose server was killed");
    HandlerScript script;
    script.Write(size).Write(size, 3).UntilCancelled();
    ClientContext context;
    script.AddTo(&context);
    auto reader = server.stub->ServerStream(&context, Item());
    // With the first large one the client maps the memory they lie in. A dead
    // server's memory that was never mapped is gone.
    Item item;
    ASSERT_TRUE(reader->Read(&item));
    script.AwaitStep(server.observer.get(), 3);
    server.process.Kill();
    for (uint64_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(reader->Read(&item)) << size << " " << i;
      EXPECT_TRUE(IsItemOf(item, static_cast<size_t>(size), i));
    }
    EXPECT_FALSE(reader->Read(&item));
    EXPECT_FALSE(reader->Read(&item));
    ExpectServerEnded(reader->Finish(), server);
  }
  ExpectNextServerReclaims();
}

void ExpectKillEndsEveryWait() {
  ScriptedServer server;
  Watchdog dog(60, "streams whose server was killed");
  HandlerScript script;
  script.UntilCancelled();
  ClientContext contexts[4];
  for (ClientContext& context : contexts) script.AddTo(&context);
  auto both = server.stub->Bidi(&contexts[0]);
  std::thread reader([&] {
    Item item;
    EXPECT_FALSE(both->Read(&item));
  });
  std::thread writer([&] {
    while (both->Write(ItemOf(100000))) {
    }
  });
  auto finishing = server.stub->Bidi(&contexts[1]);
  Status finished;
  std::thread finisher([&] { finished = finishing->Finish(); });
  auto waiting = server.stub->Bidi(&contexts[2]);
  std::thread waiter([&] { waiting->WaitForInitialMetadata(); });
  Item response;
  response.set_payload("untouched");
  auto answered = server.stub->ClientStream(&contexts[3], &response);
  script.AwaitStart(server.observer.get(), 4);
  server.process.Kill();
  reader.join();
  writer.join();
  finisher.join();
  waiter.join();
  ExpectServerEnded(both->Finish(), server);
  ExpectServerEnded(finished, server);
  ExpectServerEnded(waiting->Finish(), server);
  EXPECT_FALSE(answered->Write(ItemOf(1)));
  ExpectServerEnded(answered->Finish(), server);
  EXPECT_EQ(response.payload(), "untouched");
}

TEST(ServerKilledInStream, EndsBlockedReadWriteAndFinish) {
  ExpectKillEndsEveryWait();
  ExpectNextServerReclaims();
}

TEST(ServerKilledInStream, LeavesChannelToTheNextServer) {
  auto first = std::make_unique<ScriptedServer>();
  Watchdog dog(60, "a stream to the next server");
  HandlerScript script;
  script.UntilCancelled();
  ClientContext context;
  script.AddTo(&context);
  auto stream = first->stub->Bidi(&context);
  script.AwaitStart(first->observer.get());
  ServerSettings same;
  same.targets = {first->process.target()};
  first->process.Kill();
  ScriptedServer second(same);
  HandlerScript echo;
  echo.Echo();
  ClientContext next;
  echo.AddTo(&next);
  next.set_wait_for_ready(true);
  // The first call may meet the death itself.
  Item item;
  EXPECT_FALSE(stream->Read(&item));
  ExpectServerEnded(stream->Finish(), *first);
  const CallResult result =
      MakeCall(first->stub.get(), CallKind::kBidi, &next, ItemOf(100));
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.messages.size(), 1u);
}

// A stream that never ends. Arguments: target, kind of stream, script's name.
SHMRPC_TEST_ROLE(stream_caller) {
  auto stub = Scripted::NewStub(NewChannel(args.at(0)));
  HandlerScript script(args.at(2));
  ClientContext context;
  std::unique_ptr<ClientReaderWriter<Item, Item>> stream;
  if (args.at(1) == "reads") {
    script.Write(100000, 1 << 20);
  } else if (args.at(1) == "pings") {
    script.Echo();
  } else {
    script.ReadAll();
  }
  script.AddTo(&context);
  stream = stub->Bidi(&context);
  Item item;
  if (args.at(1) == "reads") {
    stream->Read(&item);
  } else if (args.at(1) == "pings") {
    // Until its handler polls.
    for (int i = 0; i < 50; ++i) {
      if (!stream->Write(ItemOf(100)) || !stream->Read(&item)) return 1;
    }
  } else {
    stream->Write(ItemOf(50000));
  }
  SendLine("streams");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

TEST(ClientKilledInStream, EndsTheHandlersReadOrWrite) {
  ScriptedServer server;
  Watchdog dog(60, "handlers whose client was killed");
  for (const std::string does : {"reads", "writes", "pings"}) {
    const HandlerScript script;
    Subprocess caller = SpawnRole(
        "stream_caller", {server.process.target(), does, script.name()});
    ASSERT_EQ(caller.ReadLine(), "streams");
    script.AwaitStep(server.observer.get(), 1, 1);
    caller.Kill();
    caller.Wait();
    const HandlerReport report = script.AwaitEnd(server.observer.get());
    ASSERT_EQ(report.steps_size(), 1);
    EXPECT_FALSE(report.steps(0).ok()) << does;
    EXPECT_TRUE(report.was_cancelled()) << does;
  }
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  EXPECT_TRUE(
      MakeCall(server.stub.get(), CallKind::kBidi, &context).status.ok());
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
