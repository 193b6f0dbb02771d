// Payloads of every size there and back, with every byte compared: nothing,
// around a cache line, a page, the limit of what travels in the ring, and up to
// 64 MiB.

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

class Payload : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new ServerProcess;
    const auto channel = NewChannel(server_->target());
    echo_ = EchoService::NewStub(channel).release();
    probe_ = Probe::NewStub(channel).release();
  }
  static void TearDownTestSuite() {
    delete echo_;
    delete probe_;
    delete server_;
  }

  static void ExpectDigest(const std::string& payload) {
    DigestRequest request;
    request.set_payload(payload);
    DigestReply reply;
    ClientContext context;
    ASSERT_TRUE(IsOk(probe_->Digest(&context, request, &reply)));
    EXPECT_EQ(reply.size_bytes(), static_cast<int64_t>(payload.size()));
    EXPECT_EQ(reply.digest(), PatternDigest(payload));
  }

  static ServerProcess* server_;
  static EchoService::Stub* echo_;
  static Probe::Stub* probe_;
};
ServerProcess* Payload::server_;
EchoService::Stub* Payload::echo_;
Probe::Stub* Payload::probe_;

TEST_F(Payload, SmallSizesComeBack) {
  for (size_t size = 0; size <= 300; ++size) {
    ASSERT_TRUE(EchoesBack(echo_, Pattern(size, size)));
  }
}

TEST_F(Payload, SizesAroundPageComeBack) {
  for (size_t size = 4096 - 70; size <= 4096 + 70; ++size) {
    ASSERT_TRUE(EchoesBack(echo_, Pattern(size, size)));
  }
}

TEST_F(Payload, SizesAroundInlineLimitComeBack) {
  // The reply carries some hundred bytes besides: its limit is passed first.
  for (size_t size = 8 * 1024 - 260; size <= 8 * 1024 + 70; ++size) {
    ASSERT_TRUE(EchoesBack(echo_, Pattern(size, size)));
  }
}

TEST_F(Payload, SizesAroundQuarterAndWholeRingComeBack) {
  for (size_t around : {16 * 1024, 32 * 1024, 64 * 1024, 128 * 1024}) {
    for (size_t size = around - 66; size <= around + 66; size += 3) {
      ASSERT_TRUE(EchoesBack(echo_, Pattern(size, size)));
    }
  }
}

TEST_F(Payload, RingWrapsAtEveryOffset) {
  // Records of all lengths in units, so that the end of the ring falls into
  // each of them.
  for (int round = 0; round < 10; ++round) {
    for (size_t size = 1; size < 8 * 1024; size += 61) {
      ASSERT_TRUE(EchoesBack(echo_, Pattern(size, size + round)));
    }
  }
}

TEST_F(Payload, LargeSizesComeBack) {
  for (size_t size : {size_t{64} << 10, size_t{1} << 20, size_t{16} << 20,
                      size_t{64} << 20}) {
    for (size_t off : {size_t{0}, size_t{1}}) {
      ASSERT_TRUE(EchoesBack(echo_, Pattern(size + off, size)));
    }
  }
}

TEST_F(Payload, LargeSizesArriveAtHandler) {
  for (size_t size : {0, 1, 64, 8 * 1024, 1 << 20, 64 << 20}) {
    ExpectDigest(Pattern(size, size));
  }
}

TEST_F(Payload, RequestAndReplyOfDifferentSizesAreIndependent) {
  const size_t sizes[] = {0, 1, 65, 4000, 9000, 70000, 3000000};
  for (size_t request_size : sizes) {
    for (size_t reply_size : sizes) {
      if (reply_size == 0) continue;  // means: as long as the request
      EchoRequest request;
      request.set_payload(Pattern(request_size, reply_size));
      request.set_reply_size_bytes(static_cast<int64_t>(reply_size));
      EchoReply reply;
      ASSERT_TRUE(IsOk(Echo(echo_, request, &reply)));
      ASSERT_TRUE(reply.payload() == Repeated(request.payload(), reply_size))
          << request_size << " -> " << reply_size;
    }
  }
}

TEST_F(Payload, RandomSizesComeBack) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1000; ++i) {
    // Every order of magnitude as often as the next.
    const int bits = static_cast<int>(random() % 21);
    const size_t size = random() % (size_t{1} << bits);
    ASSERT_TRUE(EchoesBack(echo_, Pattern(size, i)));
  }
}

TEST_F(Payload, OfZeroBytesOnlyComesBack) {
  // A zero word at a unit's start is what the ring takes for "nothing yet".
  for (size_t size : {1, 64, 128, 4096, 8000, 100000}) {
    ASSERT_TRUE(EchoesBack(echo_, std::string(size, '\0')));
    ASSERT_TRUE(EchoesBack(echo_, std::string(size, '\xff')));
  }
}

TEST_F(Payload, InStringFieldComesBack) {
  for (size_t size : {0, 1, 5000, 100000}) {
    EchoRequest request;
    request.set_text(std::string(size, 't'));
    request.set_payload(Pattern(size, 1));
    EchoReply reply;
    ASSERT_TRUE(IsOk(Echo(echo_, request, &reply)));
    EXPECT_TRUE(reply.text() == request.text());
    EXPECT_TRUE(reply.payload() == request.payload());
  }
}

TEST_F(Payload, MessagesUsedAgainHoldOnlyWhatIsNew) {
  EchoRequest request;
  EchoReply reply;
  for (size_t size : {100000, 10, 0, 20000, 1}) {
    request.set_payload(Pattern(size, size));
    ASSERT_TRUE(IsOk(Echo(echo_, request, &reply)));
    EXPECT_TRUE(reply.payload() == request.payload());
    EXPECT_EQ(reply.text(), "");
    reply.set_text("left over");
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
