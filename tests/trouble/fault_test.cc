// Shared memory that is gone while it is used: a status, no crash, and the next
// call connects anew.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/trouble/break_connection.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

TEST(ConnectionGone, UnderARunningCallItIsUnavailableAndTheNextWorks) {
  EchoServer server(UniqueName("gone"));
  EchoClient client(server.name());
  client.ExpectWorks();
  Status status;
  std::thread caller([&] { status = client.Call(HeldRequest()); });
  server.AwaitCalls(2);
  ASSERT_EQ(BreakConnections(server.pid()), 1);
  {
    Watchdog dog(30, "a call whose connection's memory is gone");
    caller.join();
  }
  ExpectUnavailable(status, {"shared memory is gone"});
  client.ExpectWorks();
  EchoReply reply;
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20), &reply).ok());
  EXPECT_EQ(reply.payload().size(), 1u << 20);
  server.ShutDown();
}

TEST(ConnectionGone, UnderManyRunningCallsAllAreUnavailable) {
  constexpr int kCalls = 6;
  EchoServer server(UniqueName("gone-many"));
  EchoClient client(server.name());
  client.ExpectWorks();
  Status statuses[kCalls];
  std::vector<std::thread> callers;
  for (Status& status : statuses) {
    callers.emplace_back([&] { status = client.Call(HeldRequest()); });
  }
  server.AwaitCalls(1 + kCalls);
  ASSERT_EQ(BreakConnections(server.pid()), 1);
  {
    Watchdog dog(30, "calls whose connection's memory is gone");
    for (std::thread& t : callers) t.join();
  }
  for (const Status& status : statuses) {
    ExpectUnavailable(status, {"shared memory is gone"});
  }
  client.ExpectWorks();
  server.ShutDown();
}

TEST(ConnectionGone, WhileIdleTheNextCallsWorkAgain) {
  EchoServer server(UniqueName("gone-idle"));
  EchoClient client(server.name());
  for (int i = 0; i < 5; ++i) {
    client.ExpectWorks();
    ASSERT_EQ(BreakConnections(server.pid()), 1);
    // Whether the first one meets the fault or finds it before: no more than
    // one may fail, and only so.
    const Status status = client.Call(SmallRequest());
    if (!status.ok()) ExpectUnavailable(status, {"shared memory is gone"});
    client.ExpectWorks();
  }
  server.ShutDown();
}

TEST(ConnectionGone, OfOneClientOthersAreNotDisturbed) {
  EchoServer server(UniqueName("gone-one"));
  EchoClient victim(server.name());
  victim.ExpectWorks();
  ASSERT_EQ(BreakConnections(server.pid()), 1);
  EchoClient other(server.name());
  for (int i = 0; i < 100; ++i) other.ExpectWorks();
  server.ShutDown();
}

TEST(ConnectionGone, UnderLoadServerSurvives) {
  EchoServer server(UniqueName("gone-load"));
  EchoClient client(server.name());
  client.ExpectWorks();
  std::atomic<bool> stop{false};
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&, i] {
      while (!stop.load()) {
        const Status status =
            client.Call(i == 0 ? LargeRequest(100 * 1000) : SmallRequest());
        if (status.ok()) {
          ++good;
        } else {
          // "ended" or "closed": the server noticed first.
          ExpectUnavailable(status, {});
        }
      }
    });
  }
  Watchdog dog(50, "calls while connections break");
  for (int i = 0; i < 20; ++i) {
    // Each round after calls have succeeded again.
    const int before = good.load();
    while (good.load() < before + 20) std::this_thread::yield();
    BreakConnections(server.pid());
  }
  stop = true;
  for (std::thread& t : callers) t.join();
  client.ExpectWorks();
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
