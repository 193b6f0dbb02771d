// Payloads that lay in memory which the client had not mapped when their server
// went: on Linux they can still be had. (A Windows section goes with its last
// handle.)

#include <chrono>
#include <string>

#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr size_t kLarge = 200000;

// A stream of three large messages, none of which the client has looked at.
struct UnreadStream {
  UnreadStream() {
    script.Write(kLarge, 3).UntilCancelled();
    script.AddTo(&context);
    reader = server.stub->ServerStream(&context, Item());
    script.AwaitStep(server.observer.get(), 2);
  }
  void ExpectThree() {
    Item item;
    for (uint64_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(reader->Read(&item)) << i;
      EXPECT_TRUE(IsItemOf(item, kLarge, i));
    }
    EXPECT_FALSE(reader->Read(&item));
  }

  ScriptedServer server;
  HandlerScript script;
  ClientContext context;
  std::unique_ptr<ClientReader<Item>> reader;
};

TEST(LeftPayload, OfAKilledServerIsRead) {
  Watchdog dog(60, "a stream whose server was killed");
  UnreadStream stream;
  stream.server.process.Kill();
  stream.ExpectThree();
  ExpectUnavailable(stream.reader->Finish(),
                    {stream.server.process.target(), "ended"});
  ExpectNextServerReclaims();
}

// A server that starts reclaims what the dead have left, but for this.
TEST(LeftPayload, OfAKilledServerIsReadAfterTheNextOneHasStarted) {
  Watchdog dog(60, "a stream whose server was killed, and started again");
  UnreadStream stream;
  const std::string target = stream.server.process.target();
  stream.server.process.Kill();
  EchoServer next(target.substr(sizeof("shm:") - 1));
  ASSERT_TRUE(next.started()) << next.error();
  stream.ExpectThree();
  ExpectUnavailable(stream.reader->Finish(), {target, "ended"});
  next.ShutDown();
}

TEST(LeftPayload, OfAStoppedServerIsReadAndThenItsStatus) {
  Watchdog dog(60, "a stream whose server was stopped");
  UnreadStream stream;
  stream.server.process.BeginShutdown(std::chrono::milliseconds(20));
  stream.server.process.AwaitDown();
  stream.ExpectThree();
  const Status status = stream.reader->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "Cancelling all calls");
}

TEST(LeftPayload, OfAStoppedServerThatNobodyReadsIsFreed) {
  Watchdog dog(60, "a stream whose server was stopped");
  UnreadStream stream;
  stream.server.process.BeginShutdown(std::chrono::milliseconds(20));
  stream.server.process.AwaitDown();
  // At its end the program checks that nothing is left.
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
