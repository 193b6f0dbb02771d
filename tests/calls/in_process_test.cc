// Client and server in one process, and several servers in one.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/echo_service.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/pattern.h"
#include "tests/support/probe_service.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

std::unique_ptr<Server> Start(const std::string& target, Service* service) {
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(-1);
  auto server = builder.BuildAndStart();
  EXPECT_NE(server, nullptr);
  return server;
}

TEST(InProcess, CallsWork) {
  EchoServiceImpl echo;
  const std::string target = NewTarget();
  auto server = Start(target, &echo);
  auto stub = EchoService::NewStub(NewChannel(target));
  for (size_t size : {0, 100, 9000, 100000, 5000000}) {
    EXPECT_TRUE(EchoesBack(stub.get(), Pattern(size, size)));
  }
}

TEST(InProcess, CallsOfManyThreadsWork) {
  EchoServiceImpl echo;
  const std::string target = NewTarget();
  auto server = Start(target, &echo);
  const auto channel = NewChannel(target);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      auto stub = EchoService::NewStub(channel);
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(EchoesBack(stub.get(), Pattern(i * 100, t)));
      }
    });
  }
  for (std::thread& t : threads) t.join();
}

TEST(InProcess, TwoServersServeTheirOwnClients) {
  EchoServiceImpl echo;
  ProbeServiceImpl probe;
  const std::string echo_target = NewTarget();
  const std::string probe_target = NewTarget();
  auto echo_server = Start(echo_target, &echo);
  auto probe_server = Start(probe_target, &probe);
  auto echo_stub = EchoService::NewStub(NewChannel(echo_target));
  auto probe_stub = Probe::NewStub(NewChannel(probe_target));
  EXPECT_TRUE(EchoesBack(echo_stub.get(), "one"));
  OpenGate(probe_stub.get(), "two");
  // What the other one serves is not served here.
  auto stray = EchoService::NewStub(NewChannel(probe_target));
  EchoReply reply;
  EXPECT_TRUE(Is(Echo(stray.get(), EchoRequest(), &reply), UNIMPLEMENTED, ""));
  // The end of one leaves the other alone.
  probe_server->Shutdown();
  EXPECT_TRUE(EchoesBack(echo_stub.get(), Pattern(50000, 1)));
}

// Serves under two names with two servers. Ends when its stdin does.
SHMRPC_TEST_ROLE(two_servers) {
  EchoServiceImpl first, second;
  auto first_server = Start(args.at(0), &first);
  auto second_server = Start(args.at(1), &second);
  SendLine("ready");
  std::string line;
  while (ReceiveLine(&line)) {
    first_server->Shutdown();
    SendLine("first down");
  }
  return 0;
}

TEST(TwoServers, InOneProcessServeAnother) {
  const std::string first = NewTarget();
  const std::string second = NewTarget();
  Subprocess servers = SpawnRole("two_servers", {first, second});
  ASSERT_EQ(servers.ReadLine(), "ready");
  auto first_stub = EchoService::NewStub(NewChannel(first));
  auto second_stub = EchoService::NewStub(NewChannel(second));
  for (size_t size : {10, 9000, 1000000}) {
    EXPECT_TRUE(EchoesBack(first_stub.get(), Pattern(size, 1)));
    EXPECT_TRUE(EchoesBack(second_stub.get(), Pattern(size, 2)));
  }
  servers.WriteLine("end the first");
  EXPECT_EQ(servers.ReadLine(), "first down");
  EchoReply reply;
  EXPECT_EQ(Echo(first_stub.get(), EchoRequest(), &reply).error_code(),
            UNAVAILABLE);
  EXPECT_TRUE(EchoesBack(second_stub.get(), Pattern(100000, 3)));
  servers.CloseStdin();
  EXPECT_TRUE(servers.Wait().ok());
}

TEST(InProcess, OneServiceInTwoServersServesBoth) {
  EchoServiceImpl echo;
  const std::string targets[] = {NewTarget(), NewTarget()};
  auto first = Start(targets[0], &echo);
  auto second = Start(targets[1], &echo);
  for (const std::string& target : targets) {
    auto stub = EchoService::NewStub(NewChannel(target));
    EXPECT_TRUE(EchoesBack(stub.get(), Pattern(20000, 1)));
  }
}

// Calls Echo of another server (its own, even) to answer Digest.
class ForwardingService final : public Probe::Service {
 public:
  explicit ForwardingService(const std::string& target)
      : stub_(EchoService::NewStub(NewChannel(target))) {}

  Status Digest(ServerContext*, const DigestRequest* request,
                DigestReply* reply) override {
    EchoRequest forwarded;
    forwarded.set_payload(request->payload());
    EchoReply echoed;
    const Status status = Echo(stub_.get(), forwarded, &echoed);
    reply->set_digest(PatternDigest(echoed.payload()));
    return status;
  }

 private:
  std::unique_ptr<EchoService::Stub> stub_;
};

TEST(InProcess, HandlerMayCallItsOwnServer) {
  const std::string target = NewTarget();
  EchoServiceImpl echo;
  ForwardingService forwarding(target);
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(&echo).RegisterService(&forwarding);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  auto stub = Probe::NewStub(NewChannel(target));
  for (int i = 0; i < 200; ++i) {
    DigestRequest request;
    request.set_payload(Pattern(i * 100, i));
    DigestReply reply;
    ClientContext context;
    ASSERT_TRUE(IsOk(stub->Digest(&context, request, &reply)));
    ASSERT_EQ(reply.digest(), PatternDigest(request.payload()));
  }
}

TEST(InProcess, EverythingIsUnmappedAtTheEnd) {
  const uint64_t before = MappedBytes();
  for (int i = 0; i < 20; ++i) {
    EchoServiceImpl echo;
    const std::string target = NewTarget();
    auto server = Start(target, &echo);
    auto stub = EchoService::NewStub(NewChannel(target));
    EXPECT_TRUE(EchoesBack(stub.get(), Pattern(1000000, i)));
    if (i % 2 == 0) server->Shutdown();  // or the client goes first
    stub.reset();
  }
  EXPECT_EQ(MappedBytes(), before);
}

TEST(Server, WaitReturnsAfterShutdown) {
  EchoServiceImpl echo;
  auto server = Start(NewTarget(), &echo);
  std::thread waiter([&] { server->Wait(); });
  server->Shutdown();
  server->Shutdown();  // again is fine
  waiter.join();
  server->Wait();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
