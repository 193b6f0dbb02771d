// A server's streaming calls, against a client made by hand: what each frame
// brings about.

#include "transport/rpc/server_stream.h"

#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/auth_context.h"
#include "transport/memory/layout.h"
#include "transport/platform/testing/notification.h"
#include "transport/rpc/testing/server_stream_fixture.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

// --- the ways of a call

TEST_F(ServerStreamTest, BothSidesStreamUntilTheClientEnds) {
  service_.bidi = HandMadeService::EchoAll;
  Start();
  client_->Open(7, kBidi);
  for (int i = 0; i < 100; ++i) {
    client_->Message(7, std::to_string(i));
    const Got got = client_->NextMessage();
    EXPECT_EQ(got.call_id, 7u);
    EXPECT_FALSE(got.initial);
    EXPECT_EQ(got.text(), std::to_string(i));
  }
  client_->HalfClose(7);
  const Got close = client_->NextClose(OK);
  EXPECT_FALSE(close.has_message);
  EXPECT_EQ(close.metadata, "");
}

TEST_F(ServerStreamTest, FirstMessageMayComeWithTheOpenAndTheLastWithItsFlag) {
  service_.bidi = HandMadeService::EchoAll;
  Start();
  client_->OpenWith(1, kBidi, "first", /*last=*/false);
  client_->Message(1, "last", /*last=*/true);
  EXPECT_EQ(client_->NextMessage().text(), "first");
  EXPECT_EQ(client_->NextMessage().text(), "last");
  client_->NextClose(OK);
  client_->OpenWith(1, kBidi, "only");
  EXPECT_EQ(client_->NextMessage().text(), "only");
  client_->NextClose(OK);
  client_->Open(1, kBidi, "", /*last=*/true);
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, ResponseOfAClientStreamComesWithTheClose) {
  service_.up = [](ServerContext*, ServerReader<StringValue>* reader,
                   StringValue* response) {
    StringValue message;
    uint32_t size_bytes = 0;
    while (reader->NextMessageSize(&size_bytes)) {
      EXPECT_TRUE(reader->Read(&message));
      EXPECT_GE(size_bytes, message.ByteSizeLong());
      response->set_value(response->value() + message.value());
    }
    EXPECT_FALSE(reader->Read(&message));
    return Status();
  };
  Start();
  client_->Open(1, kUp);
  client_->Message(1, "a");
  client_->Message(1, std::string(100000, 'b'));
  client_->Message(1, "c", /*last=*/true);
  const Got close = client_->NextClose(OK);
  EXPECT_EQ(close.text(), "a" + std::string(100000, 'b') + "c");
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, RequestOfAServerStreamComesWithTheOpen) {
  service_.down = [](ServerContext*, const StringValue* request,
                     ServerWriter<StringValue>* writer) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(writer->Write(*request));
    return Status(StatusCode::NOT_FOUND, "no more", "details");
  };
  Start();
  for (const size_t size : {0, 10, 100000}) {
    client_->OpenWith(1, kDown, std::string(size, 'r'));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(client_->NextMessage().text(), std::string(size, 'r'));
    }
    EXPECT_EQ(client_->NextClose(NOT_FOUND).status_text(), "no more");
  }
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, UnaryMethodNeedsItsRequestInTheOpen) {
  service_.unary = [](ServerContext*, const StringValue* request,
                      StringValue* response) {
    *response = *request;
    return Status();
  };
  Start();
  client_->Open(1, kUnary);
  EXPECT_THAT(client_->NextClose(INTERNAL).status_text(),
              HasSubstr("/test.S/Unary"));
  client_->Open(1, kDown, "", /*last=*/true);
  EXPECT_THAT(client_->NextClose(INTERNAL).status_text(),
              HasSubstr("/test.S/Down"));
  client_->OpenWith(1, kUnary, "x");
  EXPECT_EQ(client_->NextClose(OK).text(), "x");
}

TEST_F(ServerStreamTest, ReadsWhileAnotherThreadWrites) {
  static constexpr int kMessages = 2000;
  service_.bidi = [](ServerContext*, Stream* stream) {
    std::thread writer([&] {
      for (int i = 0; i < kMessages; ++i) {
        EXPECT_TRUE(stream->Write(Text(std::to_string(i))));
      }
    });
    StringValue message;
    int read = 0;
    while (stream->Read(&message)) {
      EXPECT_EQ(message.value(), std::to_string(read++));
    }
    EXPECT_EQ(read, kMessages);
    writer.join();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  int got = 0;
  for (int i = 0; i < kMessages; ++i) {
    client_->Message(1, std::to_string(i), i + 1 == kMessages);
  }
  for (Got frame = client_->Next(); frame.kind != memory::kFrameClose;
       frame = client_->Next()) {
    if (frame.kind == memory::kFrameCredit) continue;
    EXPECT_EQ(frame.text(), std::to_string(got++));
  }
  EXPECT_EQ(got, kMessages);
}

// --- metadata

TEST_F(ServerStreamTest, MetadataTravelsBothWays) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    const auto& sent = context->client_metadata();
    EXPECT_TRUE(context->auth_context()->IsPeerAuthenticated());
    EXPECT_EQ(sent.size(), 2u);
    auto found = sent.find("k");
    EXPECT_NE(found, sent.end());
    if (found != sent.end()) {
      EXPECT_EQ(found->second, "v");
    }
    context->AddInitialMetadata("i", "1");
    EXPECT_TRUE(stream->Write(Text("a")));
    context->AddInitialMetadata("late", "2");
    EXPECT_TRUE(stream->Write(Text("b")));
    stream->SendInitialMetadata();
    context->AddTrailingMetadata("t", "3");
    return Status(StatusCode::ABORTED, "why");
  };
  Start();
  client_->Open(
      1, kBidi,
      MetadataPair("k", "v") + MetadataPair("k2-bin", std::string("\0", 1)));
  Got got = client_->NextMessage();
  EXPECT_TRUE(got.initial);
  EXPECT_EQ(got.metadata, MetadataPair("i", "1"));
  EXPECT_EQ(got.text(), "a");
  got = client_->NextMessage();
  EXPECT_FALSE(got.initial);
  EXPECT_EQ(got.metadata, "");
  EXPECT_EQ(got.text(), "b");
  got = client_->NextClose(ABORTED);
  EXPECT_EQ(got.metadata,
            MetadataPair("grpc-message", "why") + MetadataPair("t", "3"));
}

TEST_F(ServerStreamTest, InitialMetadataIsSentWhenAsked) {
  Notification go;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    context->AddInitialMetadata("i", "1");
    stream->SendInitialMetadata();
    go.Wait();
    stream->SendInitialMetadata();  // once only
    stream->Write(Text("a"));
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  Got got = client_->NextMessage();
  EXPECT_TRUE(got.initial);
  EXPECT_FALSE(got.has_message);
  EXPECT_EQ(got.metadata, MetadataPair("i", "1"));
  go.Notify();
  got = client_->NextMessage();
  EXPECT_FALSE(got.initial);
  EXPECT_EQ(got.text(), "a");
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, EmptyInitialMetadataIsSentWhenAsked) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    stream->SendInitialMetadata();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  EXPECT_TRUE(client_->NextMessage().initial);
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, InitialMetadataPrecedesTheCloseOfAHandlerThatReturns) {
  service_.unary = [](ServerContext* context, const StringValue* request,
                      StringValue* response) {
    context->AddInitialMetadata("i", "1");
    context->AddTrailingMetadata("t", "2");
    response->set_value("r");
    return request->value().empty() ? Status()
                                    : Status(StatusCode::ABORTED, "");
  };
  Start();
  for (const std::string request : {"", "fail"}) {
    client_->OpenWith(1, kUnary, request);
    const Got initial = client_->NextMessage();
    EXPECT_TRUE(initial.initial);
    EXPECT_FALSE(initial.has_message);
    EXPECT_EQ(initial.metadata, MetadataPair("i", "1"));
    const Got close = client_->NextClose(request.empty() ? OK : ABORTED);
    EXPECT_EQ(close.metadata, MetadataPair("t", "2"));
    EXPECT_EQ(close.has_message, request.empty());
    if (close.has_message) {
      EXPECT_EQ(close.text(), "r");
    }
  }
}

TEST_F(ServerStreamTest, IllegalMetadataEndsTheCallAndNamesTheKey) {
  service_.unary = [](ServerContext* context, const StringValue*,
                      StringValue*) {
    context->AddTrailingMetadata("Upper", "1");
    return Status();
  };
  Start();
  client_->OpenWith(1, kUnary, "");
  EXPECT_THAT(client_->NextClose(INTERNAL).status_text(), HasSubstr("Upper"));
}

TEST_F(ServerStreamTest, TooMuchMetadataEndsTheCall) {
  const std::string large(memory::kMaxMetadataBytes, 'x');
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    context->AddInitialMetadata("i", large);
    EXPECT_FALSE(stream->Write(Text("a")));
    EXPECT_FALSE(stream->Write(Text("b")));
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    context->AddTrailingMetadata("t", large);
    return Status();
  };
  Start();
  const std::string size = std::to_string(MetadataPair("i", large).size());
  const std::string text = "metadata of " + size + " bytes larger than max (" +
                           size + " vs. " +
                           std::to_string(memory::kMaxMetadataBytes) + ")";
  client_->Open(1, kBidi);
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(), text);
  client_->OpenWith(1, kUnary, "");
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(), text);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
