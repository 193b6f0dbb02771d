// gRPC's interoperability cases, under their names and with their numbers
// (interop-test-descriptions.md of the gRPC documentation).

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "proto/interop.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"
#include "tests/interop/interop_server.h"
#include "tests/interop/interop_service.h"
#include "tests/support/client.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace interop {
namespace {

using google::protobuf::Empty;
using ::shmrpc::testing::FromNow;
using ::shmrpc::testing::Is;
using ::shmrpc::testing::IsOk;

using DuplexStream =
    ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;

// What a client streams, what a server does, and the sum of the former.
constexpr int32_t kRequestSizes[] = {27182, 8, 1828, 45904};
constexpr int32_t kResponseSizes[] = {31415, 9, 2653, 58979};
constexpr int64_t kAggregatedSize = 74922;
constexpr int32_t kLargeRequestSize = 271828;
constexpr int32_t kLargeResponseSize = 314159;

constexpr char kStatusMessage[] = "test status message";

class interop : public ::testing::Test {
 protected:
  interop()
      : channel_(CreateChannel(server_.target(), InsecureChannelCredentials())),
        stub_(TestService::NewStub(channel_)) {}

  shmrpc::testing::Watchdog watchdog_;
  InteropServer server_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<TestService::Stub> stub_;
};

std::string Zeros(int32_t size) {
  return std::string(static_cast<size_t>(size), '\0');
}

SimpleRequest LargeRequest() {
  SimpleRequest request;
  request.mutable_payload()->set_body(Zeros(kLargeRequestSize));
  request.set_response_size(kLargeResponseSize);
  return request;
}

::testing::AssertionResult IsZeros(const Payload& payload, int32_t size) {
  if (payload.body() == Zeros(size)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << payload.body().size() << " bytes came instead of " << size
         << " zeros";
}

// A request for one response.
StreamingOutputCallRequest RequestFor(int32_t request_size,
                                      int32_t response_size) {
  StreamingOutputCallRequest request;
  request.mutable_payload()->set_body(Zeros(request_size));
  request.add_response_parameters()->set_size(response_size);
  return request;
}

template <class Stream>
void ExpectNext(Stream* stream, int32_t size) {
  StreamingOutputCallResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(IsZeros(response.payload(), size));
}

template <class Stream>
void ExpectEnd(Stream* stream) {
  StreamingOutputCallResponse response;
  EXPECT_FALSE(stream->Read(&response));
}

// Of the server's metadata: the one value of `key`.
std::string ValueOf(const std::multimap<string_ref, string_ref>& metadata,
                    const char* key) {
  if (metadata.count(key) != 1) {
    ADD_FAILURE() << key << " came " << metadata.count(key) << " times";
    return "";
  }
  const string_ref value = metadata.find(key)->second;
  return std::string(value.data(), value.size());
}

TEST_F(interop, empty_unary) {
  ClientContext context;
  Empty response;
  EXPECT_TRUE(IsOk(stub_->EmptyCall(&context, Empty(), &response)));
  EXPECT_EQ(response.ByteSizeLong(), 0u);
}

TEST_F(interop, large_unary) {
  ClientContext context;
  SimpleResponse response;
  EXPECT_TRUE(IsOk(stub_->UnaryCall(&context, LargeRequest(), &response)));
  EXPECT_TRUE(IsZeros(response.payload(), kLargeResponseSize));
}

TEST_F(interop, client_streaming) {
  ClientContext context;
  StreamingInputCallResponse response;
  auto writer = stub_->StreamingInputCall(&context, &response);
  for (int32_t size : kRequestSizes) {
    StreamingInputCallRequest request;
    request.mutable_payload()->set_body(Zeros(size));
    ASSERT_TRUE(writer->Write(request));
  }
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(IsOk(writer->Finish()));
  EXPECT_EQ(response.aggregated_payload_size(), kAggregatedSize);
}

TEST_F(interop, server_streaming) {
  StreamingOutputCallRequest request;
  for (int32_t size : kResponseSizes) {
    request.add_response_parameters()->set_size(size);
  }
  ClientContext context;
  auto reader = stub_->StreamingOutputCall(&context, request);
  for (int32_t size : kResponseSizes) ExpectNext(reader.get(), size);
  ExpectEnd(reader.get());
  EXPECT_TRUE(IsOk(reader->Finish()));
}

TEST_F(interop, ping_pong) {
  ClientContext context;
  std::unique_ptr<DuplexStream> stream = stub_->FullDuplexCall(&context);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(stream->Write(RequestFor(kRequestSizes[i], kResponseSizes[i])));
    ExpectNext(stream.get(), kResponseSizes[i]);
  }
  EXPECT_TRUE(stream->WritesDone());
  ExpectEnd(stream.get());
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(interop, half_duplex) {
  ClientContext context;
  std::unique_ptr<DuplexStream> stream = stub_->HalfDuplexCall(&context);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(stream->Write(RequestFor(kRequestSizes[i], kResponseSizes[i])));
  }
  EXPECT_EQ(server_.ResponsesBegun(), 0);
  EXPECT_TRUE(stream->WritesDone());
  for (int32_t size : kResponseSizes) ExpectNext(stream.get(), size);
  ExpectEnd(stream.get());
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(interop, empty_stream) {
  ClientContext context;
  std::unique_ptr<DuplexStream> stream = stub_->FullDuplexCall(&context);
  EXPECT_TRUE(stream->WritesDone());
  ExpectEnd(stream.get());
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(interop, cancel_after_begin) {
  ClientContext context;
  StreamingInputCallResponse response;
  response.set_aggregated_payload_size(-1);
  auto writer = stub_->StreamingInputCall(&context, &response);
  context.TryCancel();
  EXPECT_TRUE(Is(writer->Finish(), CANCELLED, "CANCELLED"));
  EXPECT_EQ(response.aggregated_payload_size(), -1) << "untouched";
}

TEST_F(interop, cancel_after_first_response) {
  ClientContext context;
  std::unique_ptr<DuplexStream> stream = stub_->FullDuplexCall(&context);
  ASSERT_TRUE(stream->Write(RequestFor(kRequestSizes[0], kResponseSizes[0])));
  ExpectNext(stream.get(), kResponseSizes[0]);
  context.TryCancel();
  EXPECT_FALSE(stream->Write(RequestFor(kRequestSizes[1], kResponseSizes[1])));
  ExpectEnd(stream.get());
  EXPECT_TRUE(Is(stream->Finish(), CANCELLED, "CANCELLED"));
  server_.AwaitCancelled(1);
}

TEST_F(interop, timeout_on_sleeping_server) {
  StreamingOutputCallRequest request =
      RequestFor(kRequestSizes[0], kResponseSizes[0]);
  request.mutable_response_parameters(0)->set_interval_us(1000 * 1000 * 1000);
  ClientContext context;
  context.set_deadline(FromNow(std::chrono::milliseconds(1)));
  std::unique_ptr<DuplexStream> stream = stub_->FullDuplexCall(&context);
  stream->Write(request);  // the deadline may have passed already
  ExpectEnd(stream.get());
  EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, "Deadline Exceeded"));
  // The server ends, which it could not with a handler that still sleeps.
}

TEST_F(interop, status_code_and_message) {
  {
    SimpleRequest request;
    request.mutable_response_status()->set_code(2);
    request.mutable_response_status()->set_message(kStatusMessage);
    ClientContext context;
    SimpleResponse response;
    EXPECT_TRUE(Is(stub_->UnaryCall(&context, request, &response), UNKNOWN,
                   kStatusMessage));
  }
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(kStatusMessage);
  ClientContext context;
  std::unique_ptr<DuplexStream> stream = stub_->FullDuplexCall(&context);
  EXPECT_TRUE(stream->Write(request));
  stream->WritesDone();  // the status may have come already
  ExpectEnd(stream.get());
  EXPECT_TRUE(Is(stream->Finish(), UNKNOWN, kStatusMessage));
}

TEST_F(interop, special_status_message) {
  const std::string message =
      "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
      "\xf0\x9f\x98\x88\t\n";
  SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  ClientContext context;
  SimpleResponse response;
  EXPECT_TRUE(
      Is(stub_->UnaryCall(&context, request, &response), UNKNOWN, message));
}

class custom_metadata : public interop {
 protected:
  void AddTo(ClientContext* context) {
    context->AddMetadata(kEchoInitialKey, initial_);
    context->AddMetadata(kEchoTrailingKey, trailing_);
  }
  void ExpectBack(const ClientContext& context) {
    EXPECT_EQ(ValueOf(context.GetServerInitialMetadata(), kEchoInitialKey),
              initial_);
    EXPECT_EQ(ValueOf(context.GetServerTrailingMetadata(), kEchoTrailingKey),
              trailing_);
  }

  const std::string initial_ = "test_initial_metadata_value";
  const std::string trailing_ = "\xab\xab\xab";
};

TEST_F(custom_metadata, unary) {
  ClientContext context;
  AddTo(&context);
  SimpleResponse response;
  EXPECT_TRUE(IsOk(stub_->UnaryCall(&context, LargeRequest(), &response)));
  EXPECT_TRUE(IsZeros(response.payload(), kLargeResponseSize));
  ExpectBack(context);
}

TEST_F(custom_metadata, duplex) {
  ClientContext context;
  AddTo(&context);
  std::unique_ptr<DuplexStream> stream = stub_->FullDuplexCall(&context);
  ASSERT_TRUE(stream->Write(RequestFor(kLargeRequestSize, kLargeResponseSize)));
  EXPECT_TRUE(stream->WritesDone());
  ExpectNext(stream.get(), kLargeResponseSize);
  ExpectEnd(stream.get());
  EXPECT_TRUE(IsOk(stream->Finish()));
  ExpectBack(context);
}

TEST_F(interop, unimplemented_method) {
  ClientContext context;
  Empty response;
  EXPECT_TRUE(Is(stub_->UnimplementedCall(&context, Empty(), &response),
                 UNIMPLEMENTED, ""));
}

TEST_F(interop, unimplemented_service) {
  auto stub = UnimplementedService::NewStub(channel_);
  ClientContext context;
  Empty response;
  EXPECT_TRUE(Is(stub->UnimplementedCall(&context, Empty(), &response),
                 UNIMPLEMENTED, ""));
}

// Many times what may be under way at once. The client lags behind by as much
// as it can: it looks how far the server has come before each read.
TEST_F(interop, slow_consumer) {
  constexpr int kResponses = 2000;
  constexpr int32_t kSize = 16 * 1024;
  // More than the window of one stream holds, by some messages that are on
  // their way in or out.
  constexpr int64_t kMostAhead = 3 * 1024 * 1024 / kSize;
  StreamingOutputCallRequest request;
  for (int i = 0; i < kResponses; ++i) {
    request.add_response_parameters()->set_size(kSize);
  }
  ClientContext context;
  auto reader = stub_->StreamingOutputCall(&context, request);
  int64_t most_ahead = 0;
  for (int i = 0; i < kResponses; ++i) {
    most_ahead = std::max(most_ahead, server_.ResponsesBegun() - i);
    ExpectNext(reader.get(), kSize);
    if (HasFatalFailure()) break;
    // A stream that waits for its reader stands in nobody's way.
    ClientContext other;
    Empty response;
    ASSERT_TRUE(IsOk(stub_->EmptyCall(&other, Empty(), &response)));
  }
  ExpectEnd(reader.get());
  EXPECT_TRUE(IsOk(reader->Finish()));
  EXPECT_LT(most_ahead, kMostAhead);
}

}  // namespace
}  // namespace interop
}  // namespace shmrpc
