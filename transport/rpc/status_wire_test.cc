#include "transport/rpc/status_wire.h"

#include <cstdint>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "transport/link/metadata.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::TestSeed;

Status RoundTrip(const Status& status) {
  return StatusFromWire(static_cast<uint32_t>(status.error_code()),
                        StatusMetadata(status));
}

TEST(StatusWire, EveryStatusComesBackByteForByte) {
  const Status statuses[] = {
      Status(StatusCode::NOT_FOUND, ""),
      Status(StatusCode::NOT_FOUND, "no such user"),
      Status(StatusCode::NOT_FOUND, "", "only details"),
      Status(StatusCode::NOT_FOUND, "message", "details"),
      Status(StatusCode::UNKNOWN,
             "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and "
             "non-BMP \xf0\x9f\x98\x88\t\n"),
      Status(StatusCode::INTERNAL, std::string("\0a\0", 3),
             std::string("\0\xff\xfe", 3)),
      Status(StatusCode::INTERNAL, std::string(1 << 20, 'm')),
      Status(static_cast<StatusCode>(99), "no name"),
      Status(static_cast<StatusCode>(-7), "negative"),
      Status(static_cast<StatusCode>(INT32_MIN), "least"),
  };
  for (const Status& status : statuses) {
    const Status again = RoundTrip(status);
    EXPECT_EQ(again.error_code(), status.error_code());
    EXPECT_EQ(again.error_message(), status.error_message());
    EXPECT_EQ(again.error_details(), status.error_details());
  }
}

TEST(StatusWire, OkTakesNoTextAlong) {
  EXPECT_EQ(StatusMetadata(Status(StatusCode::OK, "m", "d")), "");
  const Status again = RoundTrip(Status(StatusCode::OK, "m", "d"));
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(again.error_message(), "");
}

TEST(StatusWire, UnknownKeysAreSkipped) {
  std::string metadata;
  link::AppendMetadata("x-other", "value", &metadata);
  link::AppendMetadata("grpc-message", "text", &metadata);
  EXPECT_EQ(StatusFromWire(5, metadata).error_message(), "text");
}

TEST(StatusWire, MalformedMetadataIsInternalAndSaysSo) {
  const Status status = StatusFromWire(0, "abc");
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(),
            "status with malformed metadata: metadata ends within a length");
}

TEST(StatusWire, RandomBytesMakeSomeStatus) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  for (int round = 0; round < 5000; ++round) {
    std::string bytes =
        StatusMetadata(Status(StatusCode::ABORTED, "text", "more"));
    for (int i = 0; i < 3; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % (bytes.size() + 1));
    const Status status = StatusFromWire(10, bytes);
    EXPECT_TRUE(status.error_code() == StatusCode::ABORTED ||
                status.error_code() == StatusCode::INTERNAL);
  }
}

TEST(CallStatus, FailuresBelowAreUnavailableButForTwo) {
  EXPECT_EQ(CallStatus(absl::DataLossError("x")).error_code(),
            StatusCode::UNAVAILABLE);
  EXPECT_EQ(CallStatus(absl::DataLossError("x")).error_message(), "x");
  EXPECT_EQ(CallStatus(absl::ResourceExhaustedError("x")).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(CallStatus(absl::DeadlineExceededError("x")).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(CallStatus(absl::DeadlineExceededError("x")).error_message(),
            "Deadline Exceeded");
}

TEST(CallStatus, TextsAreGrpcs) {
  EXPECT_EQ(ReceivedTooLarge(5000000, 4194304).error_message(),
            "Received message larger than max (5000000 vs. 4194304)");
  EXPECT_EQ(SentTooLarge(11, 10).error_message(),
            "Sent message larger than max (11 vs. 10)");
  EXPECT_EQ(SentTooLarge(11, 10).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
