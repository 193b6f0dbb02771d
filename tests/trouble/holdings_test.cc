// A server gives back what a dead client cost it. (Linux: /proc tells.)

#include <string>

#include "tests/support/eventually.h"
#include "tests/support/footprint.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

// Sends a large payload, receives one, and is in the middle of a call.
SHMRPC_TEST_ROLE(large_held_caller) {
  EchoClient client(args.at(0));
  if (!client.Call(LargeRequest(3 << 20)).ok()) return 1;
  SendLine("connected");
  EchoRequest held = HeldRequest();
  held.set_payload(std::string(1 << 20, 'x'));
  return client.Call(held).ok() ? 0 : 2;
}

// One client, from connecting to its death.
void OneClient(EchoServer* server, int calls_before, bool killed) {
  Subprocess caller = SpawnRole("large_held_caller", {server->name()});
  ASSERT_EQ(caller.ReadLine(), "connected");
  server->AwaitCalls(calls_before + 2);
  ASSERT_TRUE(killed);
  caller.Kill();
  caller.Wait();
}

TEST(ClientKilled, MidCallServersMemoryAndDescriptorsComeBack) {
  EchoServer server(UniqueName("holdings"));
  ASSERT_TRUE(server.started()) << server.error();
  // The first one makes what the server then keeps: threads, its watch thread.
  OneClient(&server, 0, true);
  Footprint baseline;
  // Settled when only the server's own two mappings are left.
  ASSERT_TRUE(Eventually([&] {
    baseline = FootprintOf(server.pid());
    return baseline.mappings == 1;
  })) << baseline;
  ASSERT_TRUE(Eventually([&] {
    const Footprint before = baseline;
    baseline = FootprintOf(server.pid());
    return baseline == before;
  }));
  for (int i = 1; i <= 5; ++i) {
    OneClient(&server, 2 * i, true);
    Footprint now;
    EXPECT_TRUE(Eventually([&] {
      now = FootprintOf(server.pid());
      if (!HavePrivateShm()) now.shm_bytes = baseline.shm_bytes;
      // No more than before: the baseline may still have held what the first
      // client's end left to be closed.
      return now.IsWithin(baseline);
    })) << "client "
        << i << ": now " << now << "; before " << baseline;
  }
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
  ExpectNextServerReclaims();
}

TEST(ClientLeaves, ServersMemoryAndDescriptorsComeBack) {
  EchoServer server(UniqueName("holdings"));
  ASSERT_TRUE(server.started()) << server.error();
  EchoClient(server.name()).ExpectWorks();
  ASSERT_TRUE(
      Eventually([&] { return FootprintOf(server.pid()).mappings == 1; }));
  const int64_t handles = FootprintOf(server.pid()).handles;
  for (int i = 0; i < 20; ++i) {
    EchoClient client(server.name());
    EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
    EXPECT_GT(FootprintOf(server.pid()).mappings, 1);
  }
  EXPECT_TRUE(Eventually([&] {
    const Footprint now = FootprintOf(server.pid());
    return now.mappings == 1 && now.handles <= handles;
  })) << FootprintOf(server.pid());
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
