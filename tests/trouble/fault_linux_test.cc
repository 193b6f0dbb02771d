// Other objects truncated by another process of the same user (Linux).

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/proc_linux.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/support/stop_linux.h"
#include "tests/support/truncate_objects_linux.h"
#include "tests/trouble/break_connection.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

// Larger than any connection object: an arena segment.
constexpr int64_t kSegmentBytes = 256 * 1024;

TEST(SegmentGone, OfTheClientNextCallsWorkAgain) {
  EchoServer server(UniqueName("segment"));
  EchoClient client(server.name());
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  // The names are gone; this process's own descriptors are left.
  ASSERT_GE(TruncateObjects(static_cast<uint32_t>(getpid()), "/dev/shm/",
                            kSegmentBytes),
            1);
  Watchdog dog(40, "calls after a segment was truncated");
  // Such a request never leaves, so it is sent again on a new connection.
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  client.ExpectWorks();
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  server.ShutDown();
}

TEST(SegmentGone, OfTheServerNextCallsWorkAgain) {
  EchoServer server(UniqueName("segment"));
  EchoClient client(server.name());
  EchoRequest request;
  request.set_reply_size_bytes(1 << 20);
  EXPECT_TRUE(client.Call(request).ok());
  ASSERT_EQ(TruncateObjects(server.pid(), "/dev/shm/", kSegmentBytes), 1);
  Watchdog dog(40, "calls after a segment was truncated");
  ExpectUnavailable(client.Call(request), {});
  client.ExpectWorks();
  EXPECT_TRUE(client.Call(request).ok());
  server.ShutDown();
}

// Has a server send it a stream of args[1]'s script and reads one message only.
SHMRPC_TEST_ROLE(lazy_reader) {
  auto stub = Scripted::NewStub(NewChannel(args.at(0)));
  HandlerScript script(args.at(1));
  script.Write(100000, 1 << 20);
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub->ServerStream(&context, Item());
  Item item;
  if (!reader->Read(&item)) return 1;
  SendLine("reads");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Its handler waits for a client that does not run, and will never read what
// was sent. The shutdown ends the call, and does not wait for its delivery.
TEST(ConnectionGoneLinux, OfAStoppedClientShutdownEnds) {
  ScriptedServer server;
  Watchdog dog(60, "a shutdown with a connection that is gone");
  const HandlerScript script;
  Subprocess client =
      SpawnRole("lazy_reader", {server.process.target(), script.name()});
  ASSERT_EQ(client.ReadLine(), "reads");
  script.AwaitStep(server.observer.get(), 1, 2);
  ASSERT_TRUE(StopProcess(client.pid()));
  ASSERT_GE(BreakConnections(server.process.pid()), 1);
  server.process.BeginShutdown(std::chrono::milliseconds(100));
  server.process.AwaitDown();
  client.Kill();
  client.Wait();
}

// Until a fifth of a second passes without a switch.
bool Rests(uint32_t pid) {
  for (int i = 0; i < 50; ++i) {
    const int64_t before = ContextSwitches(pid);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (ContextSwitches(pid) == before) return true;
  }
  return false;
}

// The ring for what it writes is lost with the word, and a client that waits
// for nothing does not ring again.
TEST(SlotsGone, WhileAClientWritesItIsReadOnceTheyAreMadeGood) {
  ScriptedServer server;
  Watchdog dog(60, "a write whose ring was lost");
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  Item response;
  auto writer = server.stub->ClientStream(&context, &response);
  script.AwaitStart(server.observer.get());
  ASSERT_TRUE(Rests(server.process.pid()));
  // The second time it takes the server a tenth of a second.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Eventually([&] {
      return Break(Memory::kSlots, server.process.target(),
                   server.process.pid(), 0) == 1;
    }));
  }
  writer->WritesDone();
  // Waits for the handler, which waits for that.
  server.process.BeginShutdown();
  server.process.AwaitDown();
  EXPECT_TRUE(writer->Finish().ok());
}

// The server's public objects, which any process of the user can truncate.
class LobbyGone : public ::testing::Test {
 protected:
  LobbyGone() : server_(UniqueName("lobby")) {}

  void TruncateLobby() {
    for (const Memory what : {Memory::kSlots, Memory::kIdentity}) {
      // What is not there yet again cannot be found.
      ASSERT_TRUE(Eventually([&] {
        return Break(what, server_.target(), server_.pid(), 0) == 1;
      })) << MemoryName(what);
    }
  }

  Watchdog dog_{100, "a server whose identity and slots are truncated"};
  EchoServer server_;
};

TEST_F(LobbyGone, WhileTheServerSleepsNobodyNoticesAndItSleepsOn) {
  EchoClient established(server_.name());
  established.ExpectWorks();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Rests(server_.pid()));
    TruncateLobby();
    // At once: new ones, and those whose word to ring was cut off.
    if (i % 2 == 0) established.ExpectWorks();
    EchoClient(server_.name()).ExpectWorks();
    established.ExpectWorks();
    EXPECT_TRUE(established.Call(LargeRequest(1 << 20)).ok());
  }
  EXPECT_THAT(server_.AwaitLog("truncated by some process"),
              ::testing::HasSubstr("made good"));
  ASSERT_TRUE(Rests(server_.pid())) << "it wakes though nothing is to do";
  server_.ShutDown();
}

TEST_F(LobbyGone, UnderLoadAllCallsAndConnectsSucceed) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  std::atomic<bool> stop{false};
  std::atomic<int> connects{0};
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&, i] {
      while (!stop) {
        const Status status =
            i == 2 ? EchoClient(server_.name()).Call(SmallRequest())
                   : client.Call(SmallRequest());
        if (i == 2) ++connects;
        if (!status.ok()) {
          ++failures;
          ADD_FAILURE() << status;
        }
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    TruncateLobby();
    const int before = connects;
    while (connects < before + 2 && failures == 0) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& t : callers) t.join();
  server_.ShutDown();
}

// The server cannot make it good at once: who comes meanwhile is told to come
// again, and nobody gets the name.
TEST_F(LobbyGone, OfAStoppedServerNameStaysTakenAndClientsTryAgain) {
  EchoClient established(server_.name());
  established.ExpectWorks();
  ASSERT_TRUE(StopProcess(server_.pid()));
  TruncateLobby();
  EchoServer second(server_.name());
  EXPECT_FALSE(second.started());
  EXPECT_THAT(second.error(), ::testing::HasSubstr("address already in use"));
  ExpectUnavailable(EchoClient(server_.name()).Call(SmallRequest()),
                    {server_.target(), "truncated", "try again"});
  Status status(StatusCode::UNKNOWN, "not called");
  std::thread caller([&] {
    EchoClient late(server_.name());
    // Patient for a second; the server runs again before, or it is told so.
    do {
      status = late.Call(SmallRequest());
    } while (status.error_code() == StatusCode::UNAVAILABLE);
  });
  ASSERT_EQ(kill(static_cast<pid_t>(server_.pid()), SIGCONT), 0);
  caller.join();
  EXPECT_TRUE(status.ok()) << status;
  established.ExpectWorks();
  server_.ShutDown();
}

// Nobody makes good what its server cannot: it has been stopped for longer than
// a client with a call in flight believes in it.
TEST_F(LobbyGone, ForLongerThanItsClientsArePatientEndsTheirCalls) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  ASSERT_TRUE(Rests(server_.pid()));
  ASSERT_TRUE(StopProcess(server_.pid()));
  TruncateLobby();
  ExpectUnavailable(client.Call(SmallRequest()), {"does not make it good"});
  ASSERT_EQ(kill(static_cast<pid_t>(server_.pid()), SIGCONT), 0);
  // Soon: it has to be scheduled first.
  ASSERT_TRUE(Eventually([&] { return client.Call(SmallRequest()).ok(); }));
  server_.ShutDown();
}

TEST_F(LobbyGone, WithoutEndServerRestsAsSoonAsItEnds) {
  EchoClient client(server_.name());
  client.ExpectWorks();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (std::chrono::steady_clock::now() < end) {
    Break(Memory::kIdentity, server_.target(), server_.pid(), 0);
    Break(Memory::kSlots, server_.target(), server_.pid(), 0);
  }
  ASSERT_TRUE(Rests(server_.pid()));
  client.ExpectWorks();
  EchoClient(server_.name()).ExpectWorks();
  server_.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
