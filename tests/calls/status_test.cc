// What a handler returns is what the caller gets: codes, messages and details,
// byte for byte; and nothing of a response that came with an error.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

class StatusOfCall : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new ServerProcess;
    stub_ = Probe::NewStub(NewChannel(server_->target())).release();
  }
  static void TearDownTestSuite() {
    delete stub_;
    delete server_;
  }

  static Status Fail(int code, const std::string& message,
                     const std::string& details = "",
                     FailReply* reply = nullptr, int64_t reply_size_bytes = 0) {
    FailRequest request;
    request.set_code(code);
    request.set_message(message);
    request.set_details(details);
    request.set_reply_size_bytes(reply_size_bytes);
    FailReply unused;
    ClientContext context;
    return stub_->Fail(&context, request, reply ? reply : &unused);
  }

  static ServerProcess* server_;
  static Probe::Stub* stub_;
};
ServerProcess* StatusOfCall::server_;
Probe::Stub* StatusOfCall::stub_;

TEST_F(StatusOfCall, EveryCodeArrives) {
  for (int code = 1; code <= 16; ++code) {
    EXPECT_TRUE(Is(Fail(code, "m"), code, "m"));
  }
}

TEST_F(StatusOfCall, CodesOutsideTheListPassThrough) {
  for (int code : {17, 99, 1000, 2147483647, -1, -7, -2147483647 - 1}) {
    EXPECT_TRUE(Is(Fail(code, "odd"), code, "odd"));
  }
}

TEST_F(StatusOfCall, OkDropsMessageAndDetails) {
  FailReply reply;
  const Status status = Fail(0, "m", "d", &reply, 11);
  EXPECT_TRUE(IsOk(status));
  EXPECT_EQ(status.error_message(), "");
  EXPECT_EQ(status.error_details(), "");
  EXPECT_EQ(reply.payload(), "filled infi");
}

TEST_F(StatusOfCall, CancelledByHandlerHasNoMessage) {
  EXPECT_TRUE(Is(Fail(CANCELLED, ""), CANCELLED, ""));
}

TEST_F(StatusOfCall, MessageIsByteExact) {
  const std::vector<std::string> messages = {
      "plain",
      " leading and trailing ",
      u8"Grüße, 世界 \u263a \U0001F608",
      "percent %20 %zz % and \"quotes\" \\ ",
      "control \x01\x02\x1b\x7f tab\t cr\r lf\n",
      std::string("NUL \0 inside\0", 13),
      std::string(1, '\0'),
      "invalid \xff\xfe\xc0\x80\xed\xa0\x80 UTF-8",
      "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
      "\xf0\x9f\x98\x88\t\n",
  };
  for (const std::string& message : messages) {
    EXPECT_TRUE(Is(Fail(UNKNOWN, message), UNKNOWN, message));
  }
}

TEST_F(StatusOfCall, EveryByteValueArrives) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  const Status status = Fail(ABORTED, all, all);
  EXPECT_TRUE(Is(status, ABORTED, all));
  EXPECT_EQ(status.error_details(), all);
}

TEST_F(StatusOfCall, LongMessageArrivesWhole) {
  for (size_t size : {1000, 8 * 1024 - 100, 8 * 1024, 64 * 1024, 1 << 20}) {
    const std::string message = Pattern(size, size);
    const Status status = Fail(DATA_LOSS, message);
    EXPECT_EQ(status.error_code(), DATA_LOSS);
    EXPECT_TRUE(status.error_message() == message) << size << " bytes";
  }
}

TEST_F(StatusOfCall, DetailsArriveBesideMessage) {
  for (size_t size : {0, 1, 100, 8 * 1024, 64 * 1024, 1 << 20}) {
    const std::string details = Pattern(size, size + 1);
    const Status status = Fail(NOT_FOUND, "text", details);
    EXPECT_TRUE(Is(status, NOT_FOUND, "text"));
    EXPECT_TRUE(status.error_details() == details) << size << " bytes";
  }
}

TEST_F(StatusOfCall, DetailsArriveWithoutMessage) {
  const Status status = Fail(NOT_FOUND, "", "only details");
  EXPECT_TRUE(Is(status, NOT_FOUND, ""));
  EXPECT_EQ(status.error_details(), "only details");
}

TEST_F(StatusOfCall, LengthsAroundInlineLimitArriveWhole) {
  // Keys and lengths travel with them: the limit falls somewhere in here.
  for (size_t size = 8 * 1024 - 128; size <= 8 * 1024 + 2; ++size) {
    const std::string message = Pattern(size, size);
    EXPECT_TRUE(Fail(INTERNAL, message).error_message() == message) << size;
  }
}

TEST_F(StatusOfCall, ErrorLeavesResponseUntouched) {
  for (int64_t size : {0, 5, 8 * 1024, 100 * 1024}) {
    FailReply reply;
    reply.set_payload("as the caller left it");
    EXPECT_TRUE(Is(Fail(NOT_FOUND, "m", "", &reply, size), NOT_FOUND, "m"));
    EXPECT_EQ(reply.payload(), "as the caller left it");
  }
}

TEST_F(StatusOfCall, OkReplacesWhatResponseHeld) {
  FailReply reply;
  reply.set_payload("old");
  EXPECT_TRUE(IsOk(Fail(0, "", "", &reply, 0)));
  EXPECT_EQ(reply.payload(), "");
}

TEST_F(StatusOfCall, ConnectionGoesOnAfterErrors) {
  for (int i = 0; i < 2000; ++i) {
    const std::string message = Pattern(i % 3 == 0 ? 20000 : i % 100, i);
    const Status status = Fail(1 + i % 16, message);
    ASSERT_EQ(status.error_code(), 1 + i % 16);
    ASSERT_TRUE(status.error_message() == message) << i;
  }
}

TEST_F(StatusOfCall, PeerNamesServerAndClient) {
  auto echo = EchoService::NewStub(NewChannel(server_->target()));
  ClientContext context;
  EXPECT_EQ(context.peer(), "");
  EchoReply reply;
  EXPECT_TRUE(IsOk(echo->Echo(&context, EchoRequest(), &reply)));
  EXPECT_EQ(reply.server_pid(), server_->pid());
  EXPECT_EQ(context.peer(),
            server_->target() + "/" + std::to_string(server_->pid()));
  EXPECT_EQ(reply.peer().rfind(server_->target() + "/", 0), 0u) << reply.peer();
  EXPECT_NE(reply.peer(), context.peer());
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
