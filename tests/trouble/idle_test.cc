// An idle server with an idle client uses no CPU: neither is scheduled even
// once.

#include <chrono>
#include <string>
#include <thread>

#include "absl/base/config.h"
#include "tests/support/proc_linux.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr std::chrono::seconds kWindow(3);

SHMRPC_TEST_ROLE(idle_client) {
  EchoClient client(args.at(0));
  for (int i = 0; i < 1000; ++i) {
    if (!client.Call(SmallRequest()).ok()) return 1;
  }
  if (!client.Call(LargeRequest(1 << 20)).ok()) return 1;
  SendLine("idle");
  std::string line;
  while (ReceiveLine(&line)) {
  }
  return 0;
}

// Until a fifth of a second passes without a switch.
bool Settles(uint32_t pid) {
  for (int i = 0; i < 50; ++i) {
    const int64_t before = ContextSwitches(pid);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (ContextSwitches(pid) == before) return true;
  }
  return false;
}

TEST(Idle, ServerAndConnectedClientAreNotScheduledAtAll) {
#ifdef ABSL_HAVE_THREAD_SANITIZER
  GTEST_SKIP() << "ThreadSanitizer's own thread wakes every 100 ms";
#endif
  EchoServer server(UniqueName("idle"));
  Subprocess client = SpawnRole("idle_client", {server.name()});
  ASSERT_EQ(client.ReadLine(), "idle");
  ASSERT_TRUE(Settles(server.pid())) << "the server never rests";
  ASSERT_TRUE(Settles(client.pid())) << "the client never rests";
  const int64_t server_before = ContextSwitches(server.pid());
  const int64_t client_before = ContextSwitches(client.pid());
  ASSERT_GT(server_before, 0);
  ASSERT_GT(client_before, 0);
  std::this_thread::sleep_for(kWindow);  // what is measured, not a wait
  EXPECT_EQ(ContextSwitches(server.pid()) - server_before, 0);
  EXPECT_EQ(ContextSwitches(client.pid()) - client_before, 0);
  client.CloseStdin();
  EXPECT_TRUE(client.Wait().ok());
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
