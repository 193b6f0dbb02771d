// How calls of a server end, streaming ones above all: by cancels, deadlines, a
// client that goes, a limit, a shutdown.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "shmrpc/cancel.h"
#include "transport/memory/layout.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/notification.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/testing/server_stream_fixture.h"

namespace shmrpc {
namespace testing {
namespace {

using internal::CancelGroup;
using internal::Cancellable;
using internal::CancelSlot;
using internal::ServerContextAccess;

// --- the end of a call

TEST_F(ServerStreamTest, CancelReleasesTheHandlerAndDropsWhatHadCome) {
  Notification reading;
  Notification cancelled;
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    EXPECT_TRUE(stream->Read(&message));
    reading.Notify();
    cancelled.Wait();
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Write(message));
    EXPECT_TRUE(context->IsCancelled());
    ended.Notify();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->Message(1, "x");
  client_->Message(1, std::string(100000, 'x'));
  client_->Message(1, "y");
  reading.Wait();
  client_->Cancel(1);
  // The close does not wait for the handler, nor do the blocks.
  client_->NextClose(CANCELLED);
  client_->AwaitBlocksBack();
  cancelled.Notify();
  ended.Wait();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, CancelWakesAReaderThatWaits) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    StringValue message;
    stream->SendInitialMetadata();
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  Start();
  for (int i = 0; i < 100; ++i) {
    client_->Open(1, kBidi);
    client_->NextMessage();
    client_->Cancel(1);
    client_->NextClose(CANCELLED);
  }
}

TEST_F(ServerStreamTest, ClientThatGoesReleasesTheHandler) {
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    stream->Write(message);
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_TRUE(context->IsCancelled());
    ended.Notify();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->NextMessage();
  client_.reset();
  ended.Wait();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, WriteThatBreaksTheLinkReleasesTheReader) {
  Notification go;
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    std::thread reader([&] {
      StringValue message;
      EXPECT_FALSE(stream->Read(&message));
    });
    stream->SendInitialMetadata();
    go.Wait();
    while (stream->Write(Text(std::string(4000, 'w')))) {
    }
    reader.join();
    EXPECT_TRUE(context->IsCancelled());
    ended.Notify();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->NextMessage();
  memory::ConnectionPage* page = client_->connection().page();
  // More than was ever sent; and the thread that polls sleeps.
  page->ring[memory::kServerSide].consumed = 1ull << 40;
  while (page->side[memory::kServerSide].parked == 0) {
    std::this_thread::yield();
  }
  go.Notify();
  ended.Wait();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, DeadlineReleasesReaderAndWriter) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    StringValue message;
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  service_.down = [](ServerContext* context, const StringValue*,
                     ServerWriter<StringValue>* writer) {
    while (writer->Write(Text(QuarterMessage()))) {
    }
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  Start();
  client_->Open(1, kBidi, "", false,
                platform::MonotonicNowNs() + 50 * 1000 * 1000);
  EXPECT_EQ(client_->NextClose(DEADLINE_EXCEEDED).status_text(),
            "Deadline Exceeded");
  link::OutgoingFrame open;
  open.kind = memory::kFrameOpen;
  open.call_id = 1;
  open.aux = kDown;
  open.has_message = true;
  open.last = true;
  open.deadline_ns = platform::MonotonicNowNs() + 50 * 1000 * 1000;
  client_->Send(open);
  Got got = client_->Next();
  while (got.kind == memory::kFrameMessage) got = client_->Next();
  EXPECT_EQ(got.aux, static_cast<uint32_t>(DEADLINE_EXCEEDED));
}

TEST_F(ServerStreamTest, TryCancelEndsTheCallAtOnce) {
  Notification go;
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    if (!stream->Read(&message)) return Status();
    context->TryCancel();
    EXPECT_TRUE(context->IsCancelled());
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Write(message));
    go.Wait();
    ended.Notify();
    return Status(StatusCode::ABORTED, "nobody hears this");
  };
  service_.unary = [](ServerContext* context, const StringValue*,
                      StringValue*) {
    context->TryCancel();
    return Status();
  };
  Start();
  client_->OpenWith(1, kBidi, "x", /*last=*/false);
  EXPECT_EQ(client_->NextClose(CANCELLED).status_text(),
            "Cancelled on the server side");
  // The number is free while the first handler still runs.
  client_->Open(1, kBidi);
  go.Notify();
  ended.Wait();
  client_->HalfClose(1);
  client_->NextClose(OK);
  client_->OpenWith(1, kUnary, "x");
  EXPECT_EQ(client_->NextClose(CANCELLED).status_text(),
            "Cancelled on the server side");
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, MessageOverALimitEndsTheCall) {
  builder_.SetMaxReceiveMessageSize(100);
  builder_.SetMaxSendMessageSize(50);
  service_.bidi = [](ServerContext*, Stream* stream) {
    StringValue message;
    EXPECT_TRUE(stream->Read(&message));
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Read(&message));
    return Status();
  };
  service_.down = [](ServerContext*, const StringValue*,
                     ServerWriter<StringValue>* writer) {
    EXPECT_TRUE(writer->Write(Text(std::string(48, 'x'))));
    EXPECT_FALSE(writer->Write(Text(std::string(49, 'x'))));
    EXPECT_FALSE(writer->Write(Text("")));
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->Message(1, std::string(98, 'x'));
  client_->Message(1, std::string(99, 'x'));
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(),
            "Received message larger than max (101 vs. 100)");
  client_->OpenWith(1, kDown, "");
  client_->NextMessage();
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(),
            "Sent message larger than max (51 vs. 50)");
}

TEST_F(ServerStreamTest, UnparseableMessageEndsTheCall) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    StringValue message;
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Read(&message));
    return Status();
  };
  Start();
  for (const size_t size : {1, 100000}) {
    client_->Open(1, kBidi);
    client_->RawMessage(1, std::string(size, '\xff'));
    EXPECT_EQ(client_->NextClose(INTERNAL).status_text(), "");
  }
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, NothingIsWrittenAfterTheLast) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    stream->WriteLast(Text("last"), WriteOptions());
    EXPECT_FALSE(stream->Write(Text("more")));
    EXPECT_FALSE(stream->Write(Text("more")));
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  EXPECT_EQ(client_->NextMessage().text(), "last");
  client_->NextClose(OK);
}

// What a client's call made for a server's one would be.
class Target final : public Cancellable {
 public:
  void Cancel() override { cancelled.Notify(); }
  Notification cancelled;
};

TEST_F(ServerStreamTest, CallsMadeForACallEndWithIt) {
  Target target;
  CancelSlot slot;
  CancelSlot at_the_end;
  std::shared_ptr<CancelGroup> group;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    EXPECT_FALSE(slot.Begin(&target));
    ServerContextAccess::cancel_group(*context)->Add(&slot);
    stream->SendInitialMetadata();
    target.cancelled.Wait();
    slot.End();
    ServerContextAccess::cancel_group(*context)->Remove(&slot);
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    group = ServerContextAccess::cancel_group(*context);
    group->Add(&at_the_end);
    EXPECT_FALSE(at_the_end.requested());
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->NextMessage();
  client_->Cancel(1);
  client_->NextClose(CANCELLED);
  client_->OpenWith(2, kUnary, "");
  client_->NextClose(OK);
  EXPECT_TRUE(at_the_end.requested());
  group->Remove(&at_the_end);
  server_->Shutdown();  // before what handlers refer to
}

// --- threads and shutdown

TEST_F(ServerStreamTest, CallBeyondTheThreadsIsRefusedAndTheOthersGoOn) {
  constexpr uint32_t kThreads = 3;
  builder_.SetMaxThreads(kThreads);
  service_.bidi = HandMadeService::EchoAll;
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  for (uint32_t i = 0; i < kThreads; ++i) client_->Open(i, kBidi);
  for (uint32_t i = 0; i < kThreads; ++i) {
    client_->Message(i, "running");
    EXPECT_EQ(client_->NextMessage().call_id, i);
  }
  for (const Method method : {kBidi, kUnary}) {
    client_->OpenWith(100, method, "x");
    const Got refused = client_->NextClose(RESOURCE_EXHAUSTED);
    EXPECT_EQ(refused.call_id, 100u);
    EXPECT_EQ(refused.status_text(), "Server Threadpool Exhausted");
  }
  for (uint32_t i = 0; i < kThreads; ++i) {
    client_->Message(i, "still");
    EXPECT_EQ(client_->NextMessage().text(), "still");
  }
  client_->HalfClose(1);
  client_->NextClose(OK);
  client_->Open(1, kBidi);
  client_->HalfClose(1);
  client_->NextClose(OK);
  for (const uint32_t i : {0u, 2u}) {
    client_->Cancel(i);
    EXPECT_EQ(client_->NextClose(CANCELLED).call_id, i);
  }
}

TEST_F(ServerStreamTest, ThreadIsFreeAgainWhenTheCloseHasCome) {
  builder_.SetMaxThreads(1);
  service_.bidi = HandMadeService::EchoAll;
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  for (int i = 0; i < 500; ++i) {
    client_->OpenWith(1, i % 3 == 0 ? kUnary : kBidi, "x");
    Got got = client_->Next();
    while (got.kind == memory::kFrameMessage) got = client_->Next();
    ASSERT_EQ(got.aux, static_cast<uint32_t>(OK)) << i << got.status_text();
  }
}

TEST_F(ServerStreamTest, ShutdownCancelsWhatIsInFlightAtItsDeadline) {
  std::atomic<int> seen{0};
  Notification go;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    stream->Write(message);
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Write(message));
    EXPECT_TRUE(context->IsCancelled());
    ++seen;
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    go.Wait();
    EXPECT_TRUE(context->IsCancelled());
    ++seen;
    return Status();
  };
  Start();
  client_->OpenWith(1, kUnary, "");
  client_->Open(2, kBidi);
  client_->NextMessage();
  std::thread first([&] { server_->Shutdown(); });
  // From here on only the second one's deadline ends it.
  std::thread second([&] {
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(20));
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client_->NextClose(UNAVAILABLE).status_text(),
              "Cancelling all calls");
  }
  go.Notify();
  first.join();
  second.join();
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
