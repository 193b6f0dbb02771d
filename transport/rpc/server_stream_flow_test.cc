// What a stream, or a client that takes nothing, may have under way.

#include <atomic>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "transport/link/flow_control.h"
#include "transport/memory/layout.h"
#include "transport/rpc/testing/server_stream_fixture.h"

namespace shmrpc {
namespace testing {
namespace {

TEST_F(ServerStreamTest, WriterStopsAtTheWindowAndGoesOnWithCredit) {
  std::atomic<int> written{0};
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    while (stream->Write(Text(QuarterMessage()))) ++written;
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(link::MessageCost(client_->NextMessage().message.size()),
              kQuarter);
  }
  client_->Credit(1, kQuarter);
  client_->NextMessage();
  client_->Credit(1, 2 * kQuarter);
  client_->NextMessage();
  client_->NextMessage();
  client_->Cancel(1);
  client_->NextClose(CANCELLED);
  server_->Shutdown();
  EXPECT_EQ(written, 7);
}

TEST_F(ServerStreamTest, ReaderGivesCreditWithEachQuarterItTakes) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    StringValue message;
    while (stream->Read(&message)) {
    }
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  for (int i = 0; i < 20; ++i) {
    client_->Message(1, QuarterMessage());
    const Got got = client_->Next();
    EXPECT_EQ(got.kind, memory::kFrameCredit);
    EXPECT_EQ(got.aux, kQuarter);
  }
  client_->HalfClose(1);
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, OneMessageOfAnyLengthFitsTheWindow) {
  builder_.SetMaxReceiveMessageSize(-1);
  service_.bidi = HandMadeService::EchoAll;
  Start();
  const std::string large(3 * memory::kWindowBytes, 'l');
  client_->Open(1, kBidi);
  client_->Message(1, large);
  Got got = client_->Next();
  EXPECT_EQ(got.kind, memory::kFrameCredit);
  EXPECT_EQ(client_->NextMessage().text(), large);
  client_->HalfClose(1);
  client_->NextClose(OK);
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, ClientThatTakesNothingIsNotListenedTo) {
  constexpr int kReplyBytes = 8000;
  constexpr int kMost = 16 * 1024 * 1024 / kReplyBytes + 200;
  constexpr int kCalls = 2 * kMost;
  std::atomic<int> runs{0};
  service_.unary = [&](ServerContext*, const StringValue*,
                       StringValue* response) {
    ++runs;
    response->set_value(std::string(kReplyBytes, 'r'));
    return Status();
  };
  Start();
  for (int i = 0; i < kCalls; ++i) {
    client_->OpenWith(static_cast<uint32_t>(i), kUnary, "");
    while (i < kMost / 2 && runs < i - 100) {
      client_->connection().Flush();
      std::this_thread::yield();
    }
  }
  while (runs < kMost - 300) {
    client_->connection().Flush();
    std::this_thread::yield();
  }
  // It had the time to run them all, if it would.
  for (int i = 0; i < 20000; ++i) {
    client_->connection().Flush();
    std::this_thread::yield();
  }
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_LE(runs - i, kMost);
    client_->NextClose(OK);
  }
  EXPECT_EQ(runs, kCalls);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
