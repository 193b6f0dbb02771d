// A client that takes more than its quota, of each kind: it is stopped there
// with RESOURCE_EXHAUSTED, goes on once it has less, and a neighbour never
// notices.

#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/quotas/neighbour.h"
#include "tests/support/client.h"
#include "tests/support/echo_service.h"
#include "tests/support/pattern.h"
#include "tests/support/script.h"
#include "tests/support/server_name.h"
#include "tests/support/server_process.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMiB = 1 << 20;

class QuotaTest : public ::testing::Test {
 private:
  Watchdog dog_{100, "a test of quotas"};
};
using ConnectionQuota = QuotaTest;
using MemoryQuota = QuotaTest;
using CallQuota = QuotaTest;
using ServerMemory = QuotaTest;
using ResourceQuotaOf = QuotaTest;

void ExpectExhausted(const Status& status, const std::string& text) {
  EXPECT_EQ(status.error_code(), RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(text));
}

std::unique_ptr<EchoService::Stub> EchoStub(const std::string& target) {
  return EchoService::NewStub(NewChannel(target));
}

// One call with so much each way.
Status EchoOf(EchoService::Stub* stub, int64_t request_bytes,
              int64_t reply_bytes) {
  EchoRequest request;
  request.set_payload(Pattern(static_cast<size_t>(request_bytes), 3));
  request.set_reply_size_bytes(reply_bytes);
  EchoReply reply;
  return Echo(stub, request, &reply);
}

ServerSettings WithMemory(int64_t bytes) {
  ServerSettings settings;
  settings.quota.max_memory_bytes = bytes;
  return settings;
}

// --- connections

TEST_F(ConnectionQuota, OneMoreIsRefusedUntilOneIsClosed) {
  ServerSettings settings;
  settings.quota.max_connections = 3;
  ServerProcess server(settings);
  Neighbour neighbour(server.target());
  std::vector<std::unique_ptr<EchoService::Stub>> stubs;
  for (int i = 0; i < 3; ++i) {
    stubs.push_back(EchoStub(server.target()));
    EXPECT_TRUE(EchoesBack(stubs.back().get(), "x"));
  }
  auto one_more = EchoStub(server.target());
  for (int i = 0; i < 20; ++i) {
    ExpectExhausted(EchoOf(one_more.get(), 1, 1),
                    "it allows 3 connections of one process");
  }
  EXPECT_TRUE(neighbour.Works());
  for (const auto& stub : stubs) EXPECT_TRUE(EchoesBack(stub.get(), "x"));
  stubs.pop_back();
  ClientContext context;
  context.set_wait_for_ready(true);
  EchoReply reply;
  EXPECT_TRUE(IsOk(one_more->Echo(&context, EchoRequest(), &reply)));
  EXPECT_TRUE(neighbour.Works());
}

TEST_F(ConnectionQuota, OfAllClientsIsSaidToBeThat) {
  ServerSettings settings;
  settings.max_connections = 2;
  ServerProcess server(settings);
  Neighbour neighbour(server.target());
  auto stub = EchoStub(server.target());
  EXPECT_TRUE(EchoesBack(stub.get(), "x"));
  auto one_more = EchoStub(server.target());
  ExpectExhausted(EchoOf(one_more.get(), 1, 1),
                  "it allows 2 connections of all its clients together");
  EXPECT_TRUE(neighbour.Works());
}

TEST_F(ConnectionQuota, TooLittleMemoryForOneIsSaidToBeThat) {
  ServerProcess server(WithMemory(100000));
  auto stub = EchoStub(server.target());
  ExpectExhausted(EchoOf(stub.get(), 1, 1), "it allows 100000 bytes of memory");
}

// --- memory

TEST_F(MemoryQuota, RequestBeyondItEndsAloneAndTheChannelGoesOn) {
  ServerProcess server(WithMemory(16 * kMiB));
  Neighbour neighbour(server.target());
  auto stub = EchoStub(server.target());
  const auto peer_of = [&] {
    ClientContext context;
    EchoReply reply;
    EXPECT_TRUE(IsOk(stub->Echo(&context, EchoRequest(), &reply)));
    return context.peer();
  };
  const std::string peer = peer_of();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(IsOk(EchoOf(stub.get(), 3 * kMiB, 1)));
    ExpectExhausted(EchoOf(stub.get(), 32 * kMiB, 1),
                    "of 16777216 bytes are in use");
    EXPECT_TRUE(IsOk(EchoOf(stub.get(), 100, 1)));
    EXPECT_TRUE(neighbour.Works());
  }
  EXPECT_EQ(peer_of(), peer);
}

TEST_F(MemoryQuota, ReplyBeyondItEndsAloneAndTheChannelGoesOn) {
  ServerProcess server(WithMemory(16 * kMiB));
  Neighbour neighbour(server.target());
  auto stub = EchoStub(server.target());
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(IsOk(EchoOf(stub.get(), 100, 3 * kMiB)));
    ExpectExhausted(EchoOf(stub.get(), 100, 32 * kMiB),
                    "of 16777216 bytes are in use");
    EXPECT_TRUE(IsOk(EchoOf(stub.get(), 100, 100)));
    EXPECT_TRUE(neighbour.Works());
  }
}

TEST_F(MemoryQuota, ConnectionsOfOneProcessShareIt) {
  ServerProcess server(WithMemory(16 * kMiB));
  // Each leaves a segment of 4 MiB behind, and needs as much for a moment.
  std::vector<std::unique_ptr<EchoService::Stub>> stubs;
  Status status;
  while (status.ok()) {
    ASSERT_LT(stubs.size(), 5u);
    stubs.push_back(EchoStub(server.target()));
    status = EchoOf(stubs.back().get(), 4 * kMiB, 1);
  }
  ExpectExhausted(status, "of 16777216 bytes are in use");
  EXPECT_GE(stubs.size(), 2u);
  auto last = std::move(stubs.back());
  stubs.clear();
  // The server lets go of those connections soon.
  while (!(status = EchoOf(last.get(), 4 * kMiB, 1)).ok()) {
    ExpectExhausted(status, "of 16777216 bytes are in use");
  }
}

TEST_F(MemoryQuota, MetadataBeyondItEndsTheCall) {
  ServerProcess server(WithMemory(6 * kMiB));
  auto stub = EchoStub(server.target());
  ClientContext context;
  context.AddMetadata("x-large", std::string(4 * kMiB, 'x'));
  EchoReply reply;
  // Its segment has room, a copy of it has none.
  ExpectExhausted(stub->Echo(&context, EchoRequest(), &reply),
                  "of 6291456 bytes are in use");
  EXPECT_TRUE(EchoesBack(stub.get(), "x"));
}

// As a map they take much more than as bytes.
TEST_F(MemoryQuota, ManyPairsOfMetadataBeyondItEndTheCall) {
  ServerProcess server(WithMemory(6 * kMiB));
  auto stub = EchoStub(server.target());
  ClientContext context;
  for (int i = 0; i < 100000; ++i) context.AddMetadata("a", "");
  EchoReply reply;
  ExpectExhausted(stub->Echo(&context, EchoRequest(), &reply),
                  "of 6291456 bytes are in use");
  EXPECT_TRUE(EchoesBack(stub.get(), "x"));
}

// The same where a stream's first message lies in their block.
TEST_F(MemoryQuota, ManyPairsBesideAStreamsFirstMessageEndTheCall) {
  ServerProcess server(WithMemory(6 * kMiB));
  auto stub = Scripted::NewStub(NewChannel(server.target()));
  ClientContext context;
  HandlerScript().ReadAll().AddTo(&context);
  for (int i = 0; i < 100000; ++i) context.AddMetadata("a", "");
  context.set_initial_metadata_corked(true);
  Item response;
  auto writer = stub->ClientStream(&context, &response);
  writer->Write(ItemOf(10));
  writer->WritesDone();
  ExpectExhausted(writer->Finish(), "of 6291456 bytes are in use");
}

// What it writes and no handler reads.
TEST_F(MemoryQuota, UnreadStreamsBeyondItEnd) {
  constexpr int kStreams = 10;
  constexpr int kWrites = 400;  // of 4000 bytes: within each stream's window
  ServerProcess server(WithMemory(8 * kMiB));
  Neighbour neighbour(server.target());
  const auto channel = NewChannel(server.target());
  std::atomic<int> written{0};
  std::atomic<int> ok{0};
  std::atomic<int> exhausted{0};
  const auto write_all = [&](HandlerScript script) {
    auto stub = Scripted::NewStub(channel);
    ClientContext context;
    script.ReadAll().AddTo(&context);
    Item response;
    auto writer = stub->ClientStream(&context, &response);
    for (int i = 0; i < kWrites && writer->Write(ItemOf(4000)); ++i) {
    }
    ++written;
    writer->WritesDone();
    const Status status = writer->Finish();
    if (status.ok()) {
      ++ok;
    } else {
      ++exhausted;
      ExpectExhausted(status, "of 8388608 bytes are in use");
    }
  };
  HandlerScript held;
  held.HoldAt("go");
  std::vector<std::thread> threads;
  for (int i = 0; i < kStreams; ++i) threads.emplace_back(write_all, held);
  while (written < kStreams) std::this_thread::yield();
  // The calls that ended are known to have; the others wait for the gate.
  EXPECT_TRUE(neighbour.Works());
  server.OpenGate("go");
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(ok + exhausted, kStreams);
  EXPECT_GT(ok, 0);
  EXPECT_GT(exhausted, 0);
  // All of it came back.
  ok = 0;
  for (int i = 0; i < kStreams; ++i) write_all(HandlerScript());
  EXPECT_EQ(ok, kStreams);
}

// --- calls

// A stream whose handler holds at a gate, as it has told.
class HeldStream {
 public:
  explicit HeldStream(Scripted::Stub* stub, const std::string& gate = "go") {
    HandlerScript script;
    script.InitialMetadata("x-held", "1").SendInitialMetadata().HoldAt(gate);
    script.AddTo(&context_);
    stream_ = stub->Bidi(&context_);
    stream_->WaitForInitialMetadata();
  }

  bool held() const {
    return context_.GetServerInitialMetadata().count("x-held") == 1;
  }
  void Cancel() { context_.TryCancel(); }
  Status Finish() {
    stream_->WritesDone();
    return stream_->Finish();
  }

 private:
  ClientContext context_;
  std::unique_ptr<ClientReaderWriter<Item, Item>> stream_;
};

TEST_F(CallQuota, OneMoreIsRefusedOverAllConnectionsUntilOneEnds) {
  ServerSettings settings;
  settings.quota.max_calls = 3;
  ServerProcess server(settings);
  Neighbour neighbour(server.target());
  auto stub = Scripted::NewStub(NewChannel(server.target()));
  auto echo = EchoStub(server.target());
  std::list<HeldStream> held;
  for (int i = 0; i < 3; ++i) {
    held.emplace_back(stub.get());
    EXPECT_TRUE(held.back().held());
  }
  constexpr char kText[] = " runs 3 calls of this process";
  for (int i = 0; i < 20; ++i) {
    ExpectExhausted(EchoOf(echo.get(), 1, 1), kText);
    ExpectExhausted(HeldStream(stub.get()).Finish(), kText);
  }
  // A call that was cancelled counts while its handler runs.
  held.front().Cancel();
  EXPECT_EQ(held.front().Finish().error_code(), CANCELLED);
  ExpectExhausted(EchoOf(echo.get(), 1, 1), kText);
  EXPECT_TRUE(neighbour.Works());
  server.OpenGate("go");
  held.pop_front();
  for (HeldStream& stream : held) EXPECT_TRUE(IsOk(stream.Finish()));
  // An answer means that the call no longer counts.
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(IsOk(EchoOf(echo.get(), 1, 1)));
  // Nor does the one that was cancelled, soon.
  std::list<HeldStream> again;
  while (again.size() < 3) {
    again.emplace_back(stub.get(), "again");
    if (again.back().held()) continue;
    ExpectExhausted(again.back().Finish(), kText);
    again.pop_back();
  }
  server.OpenGate("again");
  for (HeldStream& stream : again) EXPECT_TRUE(IsOk(stream.Finish()));
}

TEST_F(CallQuota, OneClientCannotHaveAllThreads) {
  ServerSettings settings;
  settings.max_threads = 32;
  ServerProcess server(settings);
  Neighbour neighbour(server.target());
  auto stub = Scripted::NewStub(NewChannel(server.target()));
  std::list<HeldStream> held;
  for (;;) {
    held.emplace_back(stub.get());
    if (!held.back().held()) break;
    ASSERT_LE(held.size(), 30u);
  }
  ExpectExhausted(held.back().Finish(), " runs 30 calls of this process");
  held.pop_back();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(neighbour.Works());
  server.OpenGate("go");
  for (HeldStream& stream : held) EXPECT_TRUE(IsOk(stream.Finish()));
}

// --- what a server may take of a client

TEST_F(ServerMemory, ReplyBeyondItEndsAloneAndTheChannelGoesOn) {
  ServerProcess server;
  ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxServerMemory(8 * kMiB);
  auto stub = EchoService::NewStub(CreateCustomChannel(
      server.target(), InsecureChannelCredentials(), arguments));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(IsOk(EchoOf(stub.get(), 100, 2 * kMiB)));
    const Status status = EchoOf(stub.get(), 100, 16 * kMiB);
    ExpectExhausted(status, "channel to " + server.target());
    ExpectExhausted(status, "of 8388608 bytes are in use");
  }
}

TEST_F(ServerMemory, RequestBeyondItIsNotSent) {
  ServerProcess server;
  ChannelArguments arguments;
  arguments.SetMaxServerMemory(8 * kMiB);
  auto stub = EchoService::NewStub(CreateCustomChannel(
      server.target(), InsecureChannelCredentials(), arguments));
  ExpectExhausted(EchoOf(stub.get(), 16 * kMiB, 1),
                  "of 8388608 bytes are in use");
  EXPECT_TRUE(EchoesBack(stub.get(), "x"));
}

// A stream that nobody reads while another call takes what comes.
TEST_F(ServerMemory, UnreadMessagesBeyondItEndTheStream) {
  ServerProcess server;
  ChannelArguments arguments;
  arguments.SetMaxServerMemory(kMiB);
  const auto channel = CreateCustomChannel(
      server.target(), InsecureChannelCredentials(), arguments);
  auto stub = Scripted::NewStub(channel);
  auto echo = EchoService::NewStub(channel);
  HandlerScript script;
  script.Write(4000, 400);
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub->ServerStream(&context, Item());
  const auto observer = Scripted::NewStub(NewChannel(server.target()));
  script.AwaitEnd(observer.get());
  // All of it lies before the answer of this one, whose caller takes it.
  EXPECT_TRUE(EchoesBack(echo.get(), "x"));
  Item item;
  EXPECT_FALSE(reader->Read(&item));
  ExpectExhausted(reader->Finish(), "of 1048576 bytes are in use");
  EXPECT_TRUE(EchoesBack(echo.get(), "x"));
}

// --- all clients together

TEST_F(ResourceQuotaOf, MemoryIsSharedByAllClientsAndCanGrow) {
  EchoServiceImpl service;
  const std::string target = NewTarget();
  ResourceQuota quota("test");
  quota.Resize(16 * kMiB).SetMaxThreads(4);
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1).SetResourceQuota(quota);
  const std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  {
    Neighbour neighbour(target);
    auto stub = EchoStub(target);
    ExpectExhausted(EchoOf(stub.get(), 32 * kMiB, 1), "by all clients");
    EXPECT_TRUE(neighbour.Works());
    quota.Resize(256 * kMiB);
    EXPECT_TRUE(IsOk(EchoOf(stub.get(), 32 * kMiB, 1)));
  }
  server->Shutdown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
