// More in flight than a ring holds: what waits for room gets it, in both
// directions, without any call's help.

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/log_capture.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kCalls = 64;
// As long as a payload in the ring gets, or nearly so; the ring has 64 KiB.
constexpr size_t kPayloadBytes = 8000;

// All of them hold at a gate; then they are answered at once.
void HoldAll(size_t request_bytes, size_t reply_bytes) {
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  std::vector<std::thread> threads;
  for (int t = 0; t < kCalls; ++t) {
    threads.emplace_back([&, t] {
      auto stub = Probe::NewStub(channel);
      HoldRequest request;
      request.set_gate("all");
      request.set_payload(Pattern(request_bytes, t));
      request.set_reply_size_bytes(static_cast<int64_t>(reply_bytes));
      HoldReply reply;
      ClientContext context;
      EXPECT_TRUE(IsOk(stub->Hold(&context, request, &reply)));
      EXPECT_TRUE(reply.payload() == Repeated(request.payload(), reply_bytes));
    });
  }
  // Over another connection: on the first nothing moves but those calls.
  auto observer = Probe::NewStub(NewChannel(server.target()));
  EXPECT_EQ(AwaitGate(observer.get(), "all", kCalls).ended(), 0);
  OpenGate(observer.get(), "all");
  for (std::thread& t : threads) t.join();
}

TEST(FullRing, OfRequestsThatAllWaitReachesEveryHandler) {
  for (int i = 0; i < 4; ++i) HoldAll(kPayloadBytes, 1);
}

TEST(FullRing, OfRepliesReachesEveryCaller) {
  for (int i = 0; i < 4; ++i) HoldAll(100, kPayloadBytes);
}

TEST(FullRing, InBothDirectionsPasses) {
  for (int i = 0; i < 3; ++i) HoldAll(kPayloadBytes, kPayloadBytes);
}

TEST(FullRing, AgainAndAgainPasses) {
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  std::vector<std::thread> threads;
  for (int t = 0; t < 24; ++t) {
    threads.emplace_back([&, t] {
      auto stub = EchoService::NewStub(channel);
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(EchoesBack(stub.get(), Pattern(kPayloadBytes - i, t)));
      }
    });
  }
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
