#include "shmrpc/status.h"

#include <sstream>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace shmrpc {
namespace {

TEST(Status, DefaultIsOkAndEmpty) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.error_code(), StatusCode::OK);
  EXPECT_EQ(status.error_message(), "");
  EXPECT_EQ(status.error_details(), "");
  EXPECT_TRUE(Status::OK.ok());
}

TEST(Status, CancelledHasNoMessage) {
  EXPECT_EQ(Status::CANCELLED.error_code(), StatusCode::CANCELLED);
  EXPECT_EQ(Status::CANCELLED.error_message(), "");
}

TEST(Status, KeepsCodeMessageAndDetails) {
  const std::string message("\t\n\0\xff caf\xc3\xa9", 10);
  const Status status(StatusCode::NOT_FOUND, message, "details");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), message);
  EXPECT_EQ(status.error_details(), "details");
}

TEST(Status, CodesWithoutANameAreKept) {
  for (int code : {-1, 17, 99, -2000000000, 2000000000}) {
    EXPECT_EQ(Status(static_cast<StatusCode>(code), "").error_code(), code);
  }
}

TEST(Status, CopiesAreIndependent) {
  Status a(StatusCode::ABORTED, "a", "b");
  Status b = a;
  a = Status(StatusCode::OK, "");
  EXPECT_EQ(b.error_code(), StatusCode::ABORTED);
  EXPECT_EQ(b.error_message(), "a");
  EXPECT_EQ(b.error_details(), "b");
  Status& self = b;
  b = self;
  EXPECT_EQ(b.error_message(), "a");
  b = Status::OK;
  EXPECT_TRUE(b.ok());
  EXPECT_EQ(b.error_message(), "");
}

TEST(Status, MovesCarryTheText) {
  Status a(StatusCode::ABORTED, "a", "b");
  Status b = std::move(a);
  EXPECT_EQ(b.error_message(), "a");
  Status c;
  c = std::move(b);
  EXPECT_EQ(c.error_code(), StatusCode::ABORTED);
  EXPECT_EQ(c.error_details(), "b");
}

TEST(Status, NamesOfCodes) {
  EXPECT_EQ(StatusCodeName(StatusCode::OK), "OK");
  EXPECT_EQ(StatusCodeName(StatusCode::UNAUTHENTICATED), "UNAUTHENTICATED");
  EXPECT_EQ(StatusCodeName(StatusCode::UNAVAILABLE), "UNAVAILABLE");
  EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(17)), "CODE(17)");
  EXPECT_EQ(StatusCodeName(StatusCode::DO_NOT_USE), "CODE(-1)");
}

TEST(Status, PrintsCodeAndMessage) {
  std::ostringstream out;
  out << Status(StatusCode::UNAVAILABLE, "gone") << "|" << Status();
  EXPECT_EQ(out.str(), "UNAVAILABLE: gone|OK");
}

}  // namespace
}  // namespace shmrpc
