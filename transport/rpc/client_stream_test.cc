// Streams of a client, against a server made by hand.

#include "transport/rpc/client_stream.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/client_context.h"
#include "transport/link/metadata.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/testing/hand_made_server.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::BytesValue;
using ::shmrpc::testing::HandMadeServer;
using ::shmrpc::testing::Notification;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;
using Taken = HandMadeServer::Taken;

std::string Wire(const std::string& value) {
  BytesValue message;
  message.set_value(value);
  return message.SerializeAsString();
}

BytesValue Value(const std::string& value) {
  BytesValue message;
  message.set_value(value);
  return message;
}

class Stream : public ::testing::Test {
 protected:
  ~Stream() override {
    stream_.reset();
    if (serving_.joinable()) serving_.join();
  }

  void Serve(std::function<void()> serve) {
    serving_ = std::thread(std::move(serve));
  }

  // A call of which both sides stream, unless the two say otherwise.
  ClientStream& Start(const MessageLite* request = nullptr,
                      MessageLite* response = nullptr) {
    static const RpcMethod method("/test.Service/Stream");
    CallOptions options;
    options.deadline_ns = ClientContextAccess::deadline_ns(context_);
    options.max_receive_bytes = max_receive_bytes_;
    options.max_send_bytes = max_send_bytes_;
    auto stream = std::make_unique<LocalClientStream>(
        server_.client(), method, &context_, options, request, response);
    const absl::Status started = stream->Start();
    EXPECT_TRUE(started.ok()) << started;
    stream_ = std::move(stream);
    return *stream_;
  }

  uint32_t TakeOpen() {
    return server_.Take(memory::kFrameOpen).fields.call_id;
  }

  // For the server's thread.
  bool ClientSleeps() {
    return server_.link().page()->side[memory::kClientSide].parked != 0;
  }
  void AwaitClientAsleep() {
    while (!ClientSleeps()) std::this_thread::yield();
  }

  Watchdog dog_{60, "client stream"};
  HandMadeServer server_;
  ClientContext context_;
  int max_receive_bytes_ = -1;
  int max_send_bytes_ = -1;
  std::unique_ptr<ClientStream> stream_;
  std::thread serving_;
};

TEST_F(Stream, MessagesGoBothWaysInOrder) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    for (int i = 0; i < 100; ++i) {
      const Taken taken = server_.Take(memory::kFrameMessage);
      EXPECT_EQ(taken.fields.call_id, id);
      server_.Message(id, taken.message);
    }
    const Taken end = server_.Take(memory::kFrameMessage);
    EXPECT_TRUE(end.last);
    EXPECT_FALSE(end.has_message);
    server_.Close(id, StatusCode::OK, "", "", false);
  });
  ClientStream& stream = Start();
  BytesValue reply;
  for (int i = 0; i < 100; ++i) {
    // Some in the ring, some in blocks.
    const std::string value(static_cast<size_t>(i * 200), 'x');
    ASSERT_TRUE(stream.Write(Value(value), {}));
    ASSERT_TRUE(stream.Read(&reply));
    EXPECT_EQ(reply.value(), value);
  }
  EXPECT_TRUE(stream.WritesDone());
  EXPECT_FALSE(stream.Read(&reply));
  EXPECT_FALSE(stream.Read(&reply));
  EXPECT_TRUE(stream.Finish().ok());
  serving_.join();
}

TEST_F(Stream, MessagesBeforeTheStatusAreReadFirst) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    for (const char* value : {"a", "b", "c"}) server_.Message(id, Wire(value));
    server_.Close(id, StatusCode::ABORTED, "", "", false);
  });
  const BytesValue request = Value("q");
  ClientStream& stream = Start(&request);
  serving_.join();
  BytesValue reply;
  uint32_t size = 0;
  ASSERT_TRUE(stream.NextMessageSize(&size));
  EXPECT_EQ(size, Wire("a").size());
  for (const char* value : {"a", "b", "c"}) {
    ASSERT_TRUE(stream.Read(&reply));
    EXPECT_EQ(reply.value(), value);
  }
  EXPECT_FALSE(stream.NextMessageSize(&size));
  EXPECT_FALSE(stream.Read(&reply));
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::ABORTED);
}

TEST_F(Stream, WriterStopsAtTheWindowAndGoesOnWithCredit) {
  constexpr int kMessages = 100;
  const std::string value(100 * 1000, 'v');
  const uint64_t cost = link::MessageCost(Wire(value).size());
  const int window = static_cast<int>((memory::kWindowBytes + cost - 1) /
                                      cost);  // messages that it takes
  Serve([&] {
    const uint32_t id = TakeOpen();
    for (int i = 0; i < window; ++i) server_.Take(memory::kFrameMessage);
    // The next one needs credit: until it is given, nothing can come.
    for (int i = window; i < kMessages; ++i) {
      link::Frame frame;
      EXPECT_FALSE(server_.link().Next(&frame));
      server_.Credit(id, static_cast<uint32_t>(cost));
      server_.Take(memory::kFrameMessage);
    }
    server_.Close(id, StatusCode::OK, "", Wire("sum"));
  });
  BytesValue response;
  ClientStream& stream = Start(nullptr, &response);
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream.Write(Value(value), {}));
  }
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(response.value(), "sum");
  serving_.join();
}

TEST_F(Stream, ReaderGivesCreditAsItReads) {
  constexpr int kMessages = 200;
  const std::string wire = Wire(std::string(50 * 1000, 'v'));
  const uint64_t cost = link::MessageCost(wire.size());
  Serve([&] {
    const uint32_t id = TakeOpen();
    link::SendWindow window;
    for (int i = 0; i < kMessages; ++i) {
      while (!window.open()) {
        const Taken credit = server_.Take(memory::kFrameCredit);
        EXPECT_TRUE(window.Credit(credit.fields.aux));
      }
      window.Charge(cost);
      server_.Message(id, wire);
    }
    server_.Close(id, StatusCode::OK, "", "", false);
    server_.Drain();
  });
  const BytesValue request = Value("q");
  ClientStream& stream = Start(&request);
  BytesValue reply;
  for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(stream.Read(&reply));
  EXPECT_FALSE(stream.Read(&reply));
  EXPECT_TRUE(stream.Finish().ok());
  serving_.join();
}

TEST_F(Stream, ServerBeyondItsWindowLosesTheConnection) {
  const std::string wire = Wire(std::string(8000, 'v'));
  Serve([&] {
    const uint32_t id = TakeOpen();
    const uint64_t fit = memory::kWindowBytes / link::MessageCost(wire.size());
    for (uint64_t i = 0; i < fit + 2; ++i) server_.Message(id, wire);
    while (server_.client()->usable()) {
      server_.link().Flush();
      std::this_thread::yield();
    }
  });
  ClientStream& stream = Start();
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_FALSE(server_.client()->usable());
  serving_.join();
}

TEST_F(Stream, CreditForWhatWasNotSentLosesTheConnection) {
  Serve([&] { server_.Credit(TakeOpen(), 1); });
  ClientStream& stream = Start();
  const Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("credit"));
  serving_.join();
}

TEST_F(Stream, MetadataArrives) {
  std::string initial;
  link::AppendMetadata("x-first", "1", &initial);
  link::AppendMetadata("x-first", "2", &initial);
  std::string trailing;
  link::AppendMetadata("grpc-message", "why", &trailing);
  link::AppendMetadata("x-last-bin", absl::string_view("\0\xff", 2), &trailing);
  context_.AddMetadata("x-mine", "of the client");
  Serve([&] {
    const Taken open = server_.Take(memory::kFrameOpen);
    std::string expected;
    link::AppendMetadata("x-mine", "of the client", &expected);
    EXPECT_EQ(open.metadata, expected);
    server_.Initial(open.fields.call_id, initial);
    server_.Take(memory::kFrameMessage);
    server_.Close(open.fields.call_id, StatusCode::ABORTED, trailing, "",
                  false);
  });
  ClientStream& stream = Start();
  stream.WaitForInitialMetadata();
  const auto& got = context_.GetServerInitialMetadata();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got.begin()->first, "x-first");
  EXPECT_EQ(got.begin()->second, "1");
  EXPECT_TRUE(stream.WritesDone());
  const Status status = stream.Finish();
  EXPECT_EQ(status.error_message(), "why");
  ASSERT_EQ(context_.GetServerTrailingMetadata().size(), 1u);
  EXPECT_EQ(context_.GetServerTrailingMetadata().begin()->second,
            string_ref("\0\xff", 2));
  serving_.join();
}

TEST_F(Stream, CorkedOpenTravelsWithTheFirstMessage) {
  context_.set_initial_metadata_corked(true);
  Serve([&] {
    const Taken open = server_.Take(memory::kFrameOpen);
    EXPECT_TRUE(open.has_message);
    EXPECT_EQ(open.message, Wire("first"));
    EXPECT_FALSE(open.last);
    server_.Close(open.fields.call_id, StatusCode::OK, "", "", false);
  });
  ClientStream& stream = Start();
  link::Frame frame;
  ASSERT_TRUE(stream.Write(Value("first"), {}));
  EXPECT_TRUE(stream.Finish().ok());
  serving_.join();
}

TEST_F(Stream, CorkedOpenNamesItsMethodThoughTheStubIsGone) {
  context_.set_initial_metadata_corked(true);
  std::string named;
  Serve([&] {
    named = server_.Take(memory::kFrameBind).metadata;
    server_.Close(TakeOpen(), StatusCode::OK, "", "", false);
  });
  std::optional<RpcMethod> method("/test.Service/Corked");
  LocalClientStream stream(server_.client(), *method, &context_, CallOptions(),
                           nullptr, nullptr);
  ASSERT_TRUE(stream.Start().ok());
  // Something else lies where the stub had it.
  method.emplace("/test.Service/Other");
  EXPECT_TRUE(stream.Write(Value("first"), {}));
  EXPECT_TRUE(stream.Finish().ok());
  serving_.join();
  EXPECT_EQ(named, "/test.Service/Corked");
}

TEST_F(Stream, LastMessageIsMarked) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    const Taken only = server_.Take(memory::kFrameMessage);
    EXPECT_TRUE(only.last);
    EXPECT_EQ(only.message, Wire("only"));
    server_.Close(id, StatusCode::OK, "", "", false);
  });
  ClientStream& stream = Start();
  WriteOptions last;
  EXPECT_TRUE(stream.Write(Value("only"), last.set_last_message()));
  EXPECT_FALSE(stream.Write(Value("more"), {}));
  EXPECT_FALSE(stream.WritesDone());
  EXPECT_TRUE(stream.Finish().ok());
  serving_.join();
}

TEST_F(Stream, WritesAfterTheServersAnswerFailWithoutHarm) {
  BytesValue response;
  Serve([&] { server_.Close(TakeOpen(), StatusCode::OK, "", Wire("early")); });
  ClientStream& stream = Start(nullptr, &response);
  serving_.join();
  EXPECT_FALSE(stream.Write(Value("late"), {}));
  EXPECT_TRUE(stream.WritesDone());
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(response.value(), "early");
}

TEST_F(Stream, CancelEndsABlockedReadAndTellsTheServer) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    server_.Message(id, Wire("one"));
    context_.TryCancel();
    EXPECT_EQ(server_.Take(memory::kFrameCancel).fields.call_id, id);
    // Too late.
    server_.Message(id, Wire("two"));
    server_.Close(id, StatusCode::OK, "", "", false);
  });
  ClientStream& stream = Start();
  BytesValue reply;
  while (stream.Read(&reply)) {
  }
  EXPECT_FALSE(stream.Write(Value("x"), {}));
  const Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
  EXPECT_EQ(status.error_message(), "CANCELLED");
  serving_.join();
}

TEST_F(Stream, CancelEndsABlockedWrite) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    for (int i = 0; i < 3; ++i) server_.Take(memory::kFrameMessage);
    context_.TryCancel();
    EXPECT_EQ(server_.Take(memory::kFrameCancel).fields.call_id, id);
  });
  ClientStream& stream = Start();
  const BytesValue value = Value(std::string(1000 * 1000, 'v'));
  while (stream.Write(value, {})) {
  }
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::CANCELLED);
  serving_.join();
}

TEST_F(Stream, DeadlineEndsReadWriteAndFinish) {
  for (int what = 0; what < 3; ++what) {
    ClientContext context;
    context.set_deadline(std::chrono::steady_clock::now() +
                         std::chrono::milliseconds(30));
    static const RpcMethod method("/test.Service/Stream");
    CallOptions options;
    options.deadline_ns = ClientContextAccess::deadline_ns(context);
    LocalClientStream stream(server_.client(), method, &context, options,
                             nullptr, nullptr);
    ASSERT_TRUE(stream.Start().ok());
    BytesValue reply;
    if (what == 0) EXPECT_FALSE(stream.Read(&reply));
    if (what == 1) {
      const BytesValue value = Value(std::string(1000 * 1000, 'v'));
      while (stream.Write(value, {})) {
      }
    }
    const Status status = stream.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(status.error_message(), "Deadline Exceeded");
    server_.Take(memory::kFrameCancel);
  }
}

TEST_F(Stream, DroppedStreamAndContextCancel) {
  for (bool context_first : {false, true}) {
    auto context = std::make_unique<ClientContext>();
    static const RpcMethod method("/test.Service/Stream");
    auto stream = std::make_unique<LocalClientStream>(
        server_.client(), method, context.get(), CallOptions(), nullptr,
        nullptr);
    ASSERT_TRUE(stream->Start().ok());
    if (context_first) {
      context.reset();
      server_.Take(memory::kFrameCancel);
    } else {
      stream.reset();
      server_.Take(memory::kFrameCancel);
    }
  }
}

TEST_F(Stream, LimitsEndTheCall) {
  max_receive_bytes_ = 10;
  max_send_bytes_ = 20;
  {
    Serve([&] {
      server_.Message(TakeOpen(), Wire("much too long"));
      server_.Take(memory::kFrameCancel);
    });
    ClientStream& stream = Start();
    BytesValue reply;
    EXPECT_FALSE(stream.Read(&reply));
    const Status status = stream.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(status.error_message(),
              "Received message larger than max (15 vs. 10)");
    serving_.join();
  }
  ClientContext context;
  static const RpcMethod method("/test.Service/Stream");
  CallOptions options;
  options.max_send_bytes = 20;
  LocalClientStream stream(server_.client(), method, &context, options, nullptr,
                           nullptr);
  ASSERT_TRUE(stream.Start().ok());
  EXPECT_TRUE(stream.Write(Value("short"), {}));
  EXPECT_FALSE(stream.Write(Value(std::string(20, 'v')), {}));
  EXPECT_FALSE(stream.Write(Value("short"), {}));
  EXPECT_EQ(stream.Finish().error_message(),
            "Sent message larger than max (22 vs. 20)");
}

// The parameter: the server has closed the call by then.
class OverTheLimit : public Stream,
                     public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Closed, OverTheLimit, ::testing::Bool());

TEST_P(OverTheLimit, MessagesBeforeItAreReadFirst) {
  const bool closed = GetParam();
  max_receive_bytes_ = 10;
  ClientContext other_context;
  static const RpcMethod method("/test.Service/Other");
  LocalClientStream other(server_.client(), method, &other_context,
                          CallOptions(), nullptr, nullptr);
  ASSERT_TRUE(other.Start().ok());
  Serve([&] {
    const uint32_t other_id = TakeOpen();
    const uint32_t id = TakeOpen();
    server_.Message(id, Wire("a"));
    server_.Message(id, Wire("b"));
    // Long enough for a block.
    server_.Message(id, Wire(std::string(100 * 1000, 'x')));
    if (closed) server_.Close(id, StatusCode::OK, "", "", false);
    server_.Message(other_id, Wire("o"));
    // Of a call that the server has closed there is nothing to cancel.
    EXPECT_EQ(server_.Take(memory::kFrameCancel).fields.call_id,
              closed ? other_id : id);
    server_.Drain();
  });
  ClientStream& stream = Start();
  BytesValue reply;
  // Its reader leads: what was sent before is delivered, and nobody has read
  // it.
  ASSERT_TRUE(other.Read(&reply));
  for (const char* value : {"a", "b"}) {
    ASSERT_TRUE(stream.Read(&reply));
    EXPECT_EQ(reply.value(), value);
  }
  uint32_t size = 0;
  EXPECT_FALSE(stream.NextMessageSize(&size));
  EXPECT_FALSE(stream.Read(&reply));
  const Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(),
            "Received message larger than max (100004 vs. 10)");
  other_context.TryCancel();
  EXPECT_EQ(other.Finish().error_code(), StatusCode::CANCELLED);
  serving_.join();
}

TEST_F(Stream, MessageThatDoesNotParseEndsTheCall) {
  Serve([&] {
    server_.Message(TakeOpen(), "\x0a\x7f");
    server_.Take(memory::kFrameCancel);
  });
  ClientStream& stream = Start();
  BytesValue reply;
  EXPECT_FALSE(stream.Read(&reply));
  const Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("BytesValue"));
  serving_.join();
}

TEST_F(Stream, LostConnectionDeliversWhatHadArrived) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    for (const char* value : {"a", "b", "c"}) server_.Message(id, Wire(value));
    server_.link().Close();
  });
  ClientStream& stream = Start();
  BytesValue reply;
  for (const char* value : {"a", "b", "c"}) {
    ASSERT_TRUE(stream.Read(&reply));
    EXPECT_EQ(reply.value(), value);
  }
  EXPECT_FALSE(stream.Read(&reply));
  EXPECT_FALSE(stream.Write(Value("x"), {}));
  EXPECT_FALSE(stream.WritesDone());
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::UNAVAILABLE);
  serving_.join();
}

TEST_F(Stream, FinishBeforeUnreadMessagesSleepsUntilTheConnectionIsLost) {
  Serve([&] {
    const uint32_t id = TakeOpen();
    server_.Message(id, Wire("unread"));
    server_.Close(id, StatusCode::ABORTED, "", "", false);
    AwaitClientAsleep();
    server_.link().Close();
  });
  const BytesValue request = Value("q");
  EXPECT_EQ(Start(&request).Finish().error_code(), StatusCode::ABORTED);
  serving_.join();
}

TEST_F(Stream, WriteThatBreaksTheLinkLeavesWhatHadCome) {
  Serve([&] {
    server_.Message(TakeOpen(), Wire("a"));
    // More than was ever sent. The writer finds it out.
    server_.link().page()->ring[memory::kClientSide].consumed = 1ull << 40;
  });
  ClientStream& stream = Start();
  serving_.join();
  while (stream.Write(Value(std::string(4000, 'w')), {})) {
  }
  BytesValue reply;
  ASSERT_TRUE(stream.Read(&reply));
  EXPECT_EQ(reply.value(), "a");
  EXPECT_FALSE(stream.Read(&reply));
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(Stream, WhatWasWrittenArrivesIfTheClientThenDoesNothing) {
  constexpr int kMessages = 100;  // that the ring does not hold at once
  Notification written;
  Serve([&] {
    TakeOpen();
    while (!written.HasBeenNotified() && !ClientSleeps()) {
      std::this_thread::yield();
    }
    for (int i = 0; i < kMessages; ++i) server_.Take(memory::kFrameMessage);
  });
  ClientStream& stream = Start();
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_TRUE(stream.Write(Value(std::string(1000, 'w')), {}));
  }
  written.Notify();
  serving_.join();
}

TEST_F(Stream, WriteTakesSomeOfWhatHasComeInPassingNotAll) {
  Serve([&] {
    TakeOpen();
    // Credit that nobody asked for: late, as far as anyone can tell.
    for (uint32_t i = 1; i <= 1000; ++i) server_.Credit(i << 16 | 0xffff, 1);
  });
  ClientStream& stream = Start();
  serving_.join();
  EXPECT_TRUE(stream.Write(Value("w"), {}));
  // A server that goes on like this must not keep the writer for ever. Here it
  // has not even taken the quarter of the ring that it gives back at once.
  EXPECT_EQ(server_.link().page()->ring[memory::kServerSide].consumed.load(),
            0u);
}

TEST_F(Stream, DroppedStreamGivesItsResponseBack) {
  Serve([&] {
    // Long enough for a block.
    server_.Close(TakeOpen(), StatusCode::OK, "",
                  Wire(std::string(100 * 1000, 'r')));
    server_.Drain();
  });
  BytesValue response;
  ClientStream& stream = Start(nullptr, &response);
  // Until the close has come, without filling the ring: what then waits for
  // room in it would go with the client's next frame, and there is none.
  stream.WaitForInitialMetadata();
  stream_.reset();
  serving_.join();
  EXPECT_EQ(response.value(), "");
}

TEST_F(Stream, ReaderAndWriterAreTwoThreads) {
  constexpr int kMessages = 2000;
  Serve([&] {
    const uint32_t id = TakeOpen();
    link::ReceiveWindow arrived;
    for (;;) {
      const Taken taken = server_.Take(memory::kFrameMessage);
      if (!taken.has_message) break;
      const uint64_t cost = link::MessageCost(taken.message.size());
      EXPECT_TRUE(arrived.Arrived(cost));
      const uint32_t credit = arrived.Taken(cost);
      if (credit != 0) server_.Credit(id, credit);
      server_.Message(id, taken.message);
    }
    server_.Close(id, StatusCode::OK, "", "", false);
    server_.Drain();
  });
  ClientStream& stream = Start();
  std::thread writer([&] {
    for (int i = 0; i < kMessages; ++i) {
      EXPECT_TRUE(stream.Write(Value(std::to_string(i)), {}));
    }
    EXPECT_TRUE(stream.WritesDone());
  });
  BytesValue reply;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream.Read(&reply));
    EXPECT_EQ(reply.value(), std::to_string(i));
  }
  EXPECT_FALSE(stream.Read(&reply));
  writer.join();
  EXPECT_TRUE(stream.Finish().ok());
  serving_.join();
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
