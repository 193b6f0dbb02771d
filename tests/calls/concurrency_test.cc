// Many callers at once: threads of one channel, channels of one process,
// processes; and slow handlers that hold up nobody else.

#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/message_lite.h"
#include "gtest/gtest.h"
#include "shmrpc/generated.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

// `calls` calls on `channel` with sizes of every order of magnitude up to
// 256 KiB; the number of those that did not come back as they should.
int CallAndCompare(const std::shared_ptr<Channel>& channel, uint64_t seed,
                   int calls) {
  auto stub = EchoService::NewStub(channel);
  std::mt19937_64 random(seed);
  int wrong = 0;
  for (int i = 0; i < calls; ++i) {
    const size_t size = random() % (size_t{1} << (random() % 19));
    const auto result =
        EchoesBack(stub.get(), Pattern(size, seed * 1000003 + i));
    if (!result) {
      ADD_FAILURE() << result.message();
      ++wrong;
    }
  }
  return wrong;
}

int CallInThreads(const std::string& target, uint64_t seed, int threads,
                  int calls) {
  const auto channel = NewChannel(target);
  std::atomic<int> wrong{0};
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back(
        [&, t] { wrong += CallAndCompare(channel, seed + t, calls); });
  }
  for (std::thread& t : running) t.join();
  return wrong;
}

// Arguments: target, seed, threads, calls of each. Waits for a line before it
// starts, so that all clients run at once.
SHMRPC_TEST_ROLE(client) {
  SendLine("ready");
  std::string line;
  if (!ReceiveLine(&line)) return 2;
  const int wrong = CallInThreads(args.at(0), std::stoull(args.at(1)),
                                  std::stoi(args.at(2)), std::stoi(args.at(3)));
  SendLine("wrong " + std::to_string(wrong));
  return wrong == 0 ? 0 : 1;
}

TEST(Concurrency, ClientProcessesTimesThreadsGetTheirOwnReplies) {
  constexpr int kProcesses = 3;
  ServerProcess server;
  std::vector<Subprocess> clients;
  for (int p = 0; p < kProcesses; ++p) {
    clients.push_back(SpawnRole(
        "client", {server.target(), std::to_string(100 * p), "4", "150"}));
    EXPECT_EQ(clients.back().ReadLine(), "ready");
  }
  for (Subprocess& client : clients) client.WriteLine("go");
  EXPECT_EQ(CallInThreads(server.target(), 777, 4, 150), 0);
  for (Subprocess& client : clients) {
    EXPECT_EQ(client.ReadLine(), "wrong 0");
    EXPECT_TRUE(client.Wait().ok());
  }
}

TEST(Concurrency, ManyThreadsOnOneChannelGetTheirOwnReplies) {
  ServerProcess server;
  EXPECT_EQ(CallInThreads(server.target(), 1, 64, 50), 0);
}

TEST(Concurrency, ManySmallCallsOnOneChannelGetTheirOwnReplies) {
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      auto stub = EchoService::NewStub(channel);
      for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(EchoesBack(stub.get(), std::to_string(t * 1000 + i)));
      }
    });
  }
  for (std::thread& t : threads) t.join();
}

TEST(Concurrency, FirstCallsOfManyThreadsShareOneConnect) {
  ServerProcess server;
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(CallInThreads(server.target(), round, 16, 1), 0);
  }
}

TEST(Concurrency, HandlersOf64CallsOnOneConnectionRunAtOnce) {
  constexpr int kCalls = 64;
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  std::vector<std::thread> threads;
  for (int t = 0; t < kCalls; ++t) {
    threads.emplace_back([&, t] {
      auto stub = Probe::NewStub(channel);
      HoldRequest request;
      request.set_gate("all");
      request.set_payload(Pattern(100 * t, t));
      HoldReply reply;
      ClientContext context;
      EXPECT_TRUE(IsOk(stub->Hold(&context, request, &reply)));
      EXPECT_TRUE(reply.payload() == request.payload());
    });
  }
  auto stub = Probe::NewStub(channel);
  EXPECT_EQ(AwaitGate(stub.get(), "all", kCalls).ended(), 0);
  OpenGate(stub.get(), "all");
  for (std::thread& t : threads) t.join();
}

TEST(Concurrency, SlowHandlerHoldsUpNobody) {
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  auto same = EchoService::NewStub(channel);
  auto other = EchoService::NewStub(NewChannel(server.target()));
  // Teaches the server that Echo is fast, so that it runs it while polling.
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(EchoesBack(same.get(), "fast"));
    EXPECT_TRUE(EchoesBack(other.get(), "fast"));
  }
  std::atomic<bool> slow_done{false};
  std::thread slow([&] {
    auto stub = EchoService::NewStub(channel);
    EchoRequest request;
    request.set_sleep_ms(2000);
    EchoReply reply;
    EXPECT_TRUE(IsOk(Echo(stub.get(), request, &reply)));
    slow_done = true;
  });
  // Calls go on while it sleeps. They would also be answered if each waited for
  // the slow one, so count those that were answered before it.
  int meanwhile = 0;
  while (!slow_done) {
    EXPECT_TRUE(EchoesBack(same.get(), Pattern(meanwhile % 20000, 1)));
    EXPECT_TRUE(EchoesBack(other.get(), Pattern(meanwhile % 20000, 2)));
    ++meanwhile;
  }
  slow.join();
  EXPECT_GT(meanwhile, 3);
}

TEST(Concurrency, HandlerThatNeverEndsHoldsUpNobody) {
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  auto probe = Probe::NewStub(channel);
  auto echo = EchoService::NewStub(channel);
  // Hold is fast at an open gate, and then is not any more.
  OpenGate(probe.get(), "open");
  for (int i = 0; i < 20; ++i) {
    HoldRequest request;
    request.set_gate("open");
    HoldReply reply;
    ClientContext context;
    EXPECT_TRUE(IsOk(probe->Hold(&context, request, &reply)));
  }
  std::vector<std::thread> holders;
  for (int t = 0; t < 8; ++t) {
    holders.emplace_back([&] {
      HoldRequest request;
      request.set_gate("shut");
      HoldReply reply;
      ClientContext context;
      EXPECT_TRUE(IsOk(probe->Hold(&context, request, &reply)));
    });
    AwaitGate(probe.get(), "shut", t + 1);
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(EchoesBack(echo.get(), Pattern(i * 200, i)));
    }
  }
  OpenGate(probe.get(), "shut");
  for (std::thread& t : holders) t.join();
}

// A request whose serialization takes until it is told to end.
class StallingRequest final : public google::protobuf::MessageLite {
 public:
  void AwaitStall() const { stalled_.WaitForNotification(); }
  void LetGo() { let_go_.Notify(); }

  std::string GetTypeName() const override { return "StallingRequest"; }
  MessageLite* New(google::protobuf::Arena*) const override {
    return new StallingRequest;
  }
  void Clear() override {}
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite&) override {}
  size_t ByteSizeLong() const override { return bytes_.size(); }
  int GetCachedSize() const override { return static_cast<int>(bytes_.size()); }
  uint8_t* _InternalSerialize(
      uint8_t* to,
      google::protobuf::io::EpsCopyOutputStream* stream) const override {
    stalled_.Notify();
    let_go_.WaitForNotification();
    return stream->WriteRaw(bytes_.data(), static_cast<int>(bytes_.size()), to);
  }

 private:
  static std::string Bytes() {
    DigestRequest request;
    request.set_payload(std::string(100000, 's'));  // not in the ring
    return request.SerializeAsString();
  }
  const std::string bytes_ = Bytes();
  mutable absl::Notification stalled_;
  absl::Notification let_go_;
};

TEST(Concurrency, RequestThatIsLongInTheWritingHoldsUpNobody) {
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  auto observer = Probe::NewStub(NewChannel(server.target()));
  const auto hold = [&](const std::string& gate) {
    HoldRequest request;
    request.set_gate(gate);
    HoldReply reply;
    ClientContext context;
    EXPECT_TRUE(IsOk(Probe::NewStub(channel)->Hold(&context, request, &reply)));
  };
  // The first one takes the replies for all, until its own has come.
  std::thread first([&] { hold("first"); });
  AwaitGate(observer.get(), "first", 1);
  std::thread second([&] { hold("second"); });
  AwaitGate(observer.get(), "second", 1);
  StallingRequest request;
  std::thread stalled([&] {
    const internal::RpcMethod method("/shmrpc.testing.Probe/Digest");
    DigestReply reply;
    ClientContext context;
    EXPECT_TRUE(
        IsOk(channel->BlockingUnaryCall(method, &context, request, &reply)));
    EXPECT_EQ(reply.size_bytes(), 100000);
  });
  request.AwaitStall();
  OpenGate(observer.get(), "first");
  first.join();
  OpenGate(observer.get(), "second");
  second.join();  // although the third has not even sent its request
  request.LetGo();
  stalled.join();
}

TEST(Concurrency, ServerDeadWhileManyWaitEndsEachCall) {
  constexpr int kCalls = 32;
  ServerProcess server;
  const auto channel = NewChannel(server.target());
  std::vector<std::thread> threads;
  for (int t = 0; t < kCalls; ++t) {
    threads.emplace_back([&] {
      auto stub = Probe::NewStub(channel);
      HoldRequest request;
      request.set_gate("never");
      HoldReply reply;
      reply.set_payload("untouched");
      ClientContext context;
      EXPECT_EQ(stub->Hold(&context, request, &reply).error_code(),
                UNAVAILABLE);
      EXPECT_EQ(reply.payload(), "untouched");
    });
  }
  auto observer = Probe::NewStub(NewChannel(server.target()));
  AwaitGate(observer.get(), "never", kCalls);
  server.Kill();
  for (std::thread& t : threads) t.join();
  // Takes the dead one's name over, and so tidies up.
  ServerSettings same;
  same.targets = {server.target()};
  ServerProcess next(same);
  auto echo = EchoService::NewStub(channel);
  EXPECT_TRUE(EchoesBack(echo.get(), "again"));
}

TEST(Concurrency, HandlerThatCrashesEndsItsCall) {
  ServerSettings settings;
  std::string target;
  {
    ServerProcess server;
    target = server.target();
    auto stub = EchoService::NewStub(NewChannel(target));
    EchoRequest request;
    request.set_crash(true);
    EchoReply reply;
    EXPECT_EQ(Echo(stub.get(), request, &reply).error_code(), UNAVAILABLE);
    server.Kill();
  }
  settings.targets = {target};
  ServerProcess next(settings);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
