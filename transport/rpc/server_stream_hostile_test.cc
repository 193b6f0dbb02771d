// Frames that no client may send: they cost it its connection, and nobody else
// anything.

#include <atomic>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "transport/link/flow_control.h"
#include "transport/platform/testing/notification.h"
#include "transport/rpc/testing/server_stream_fixture.h"

namespace shmrpc {
namespace testing {
namespace {

TEST_F(ServerStreamTest, MalformedMetadataCostsTheConnection) {
  Start();
  client_->Open(1, kBidi, "???");
  client_->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, SenderBeyondItsWindowLosesTheConnection) {
  Notification go;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    go.Wait();
    // Its calls end a little after the client was told.
    while (!context->IsCancelled()) std::this_thread::yield();
    StringValue message;
    // What had come is dropped.
    EXPECT_FALSE(stream->Read(&message));
    return Status();
  };
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  for (int i = 0; i < 4; ++i) client_->Message(1, QuarterMessage());
  // Not yet: the connection goes on.
  client_->OpenWith(2, kUnary, "");
  EXPECT_EQ(client_->NextClose(OK).call_id, 2u);
  client_->Message(1, "");
  client_->AwaitClosedByServer();
  go.Notify();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, MessageAfterTheLastLosesTheConnection) {
  service_.bidi = [](ServerContext* context, Stream*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->HalfClose(1);
  client_->Message(1, "x");
  client_->AwaitClosedByServer();
  auto another = NewClient();
  another->Open(1, kBidi);
  another->HalfClose(1);
  another->HalfClose(1);
  another->AwaitClosedByServer();
  another = NewClient();
  another->OpenWith(1, kUnary, "x");
  another->Message(1, "x");
  another->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, CreditBeyondWhatWasSentLosesTheConnection) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    stream->Write(Text("abc"));
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  const uint64_t cost =
      link::MessageCost(client_->NextMessage().message.size());
  client_->Credit(1, cost);
  client_->Credit(1, 1);
  client_->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, OpenOfACallThatIsOpenLosesTheConnection) {
  service_.bidi = [](ServerContext* context, Stream*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->Open(1, kBidi);
  client_->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, MethodsBeyondTheLimitsLoseTheConnection) {
  constexpr uint32_t kMethods = 64 * 1024;
  constexpr size_t kNameBytes = 4096;
  Start();
  client_->Bind(kMethods - 1, std::string(kNameBytes, 'n'));
  client_->OpenWith(1, static_cast<Method>(kMethods - 1), "");
  client_->NextClose(UNIMPLEMENTED);
  client_->Bind(kMethods, "/test.S/Unary");
  client_->AwaitClosedByServer();
  auto another = NewClient();
  another->Bind(4, std::string(kNameBytes + 1, 'n'));
  another->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, FramesOfACallThatIsNoMoreAreIgnored) {
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  client_->Message(9, "x");
  client_->Message(9, std::string(100000, 'x'), /*last=*/true);
  client_->HalfClose(9);
  client_->Credit(9, 1000);
  client_->Cancel(9);
  client_->OpenWith(1, kUnary, "");
  client_->NextClose(OK);
  client_->AwaitBlocksBack();
}

// A call of such a method costs the server a change of its leading thread.
TEST_F(ServerStreamTest, ClientWhoseCallsNeverEndLeavesTheOthersTheirTurn) {
  service_.down = [](ServerContext*, const StringValue*,
                     ServerWriter<StringValue>*) {
    std::this_thread::yield();
    return Status();
  };
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  auto greedy = NewClient();
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> opened{0};
  std::thread flood([&] {
    link::Frame frame;
    while (!stop) {
      if (greedy->connection().BacklogBytes() < 64 * 1024) {
        greedy->OpenWith(opened, kDown, "");
        ++opened;
      }
      greedy->connection().Flush();
      while (greedy->connection().Next(&frame)) {
      }
    }
  });
  while (opened < 10000) std::this_thread::yield();
  for (uint32_t i = 0; i < 100; ++i) {
    client_->OpenWith(i, kUnary, "");
    client_->NextClose(OK);
  }
  stop = true;
  flood.join();
  server_->Shutdown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
