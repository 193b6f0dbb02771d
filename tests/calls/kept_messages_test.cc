// A server keeps the messages of large calls for the next ones, and gives back
// what is not needed any more.

#include <atomic>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/echo_service.h"
#include "tests/support/pattern.h"
#include "tests/support/server_name.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr size_t kMiB = 1 << 20;

// Notes how much memory the response had when the handler got it.
class NotingEcho final : public EchoService::Service {
 public:
  Status Echo(ServerContext* context, const EchoRequest* request,
              EchoReply* reply) override {
    EXPECT_TRUE(reply->payload().empty());
    capacity_.store(reply->mutable_payload()->capacity());
    return echo_.Echo(context, request, reply);
  }
  // At the last call.
  size_t capacity() const { return capacity_.load(); }

 private:
  EchoServiceImpl echo_;
  std::atomic<size_t> capacity_{0};
};

class KeptMessages : public ::testing::Test {
 protected:
  KeptMessages() {
    ServerBuilder builder;
    builder.AddListeningPort(target_, InsecureServerCredentials());
    builder.RegisterService(&echo_);
    builder.SetMaxReceiveMessageSize(-1);
    server_ = builder.BuildAndStart();
    stub_ = EchoService::NewStub(NewChannel(target_));
  }

  bool Echo(size_t bytes) {
    return EchoesBack(stub_.get(), Pattern(bytes, bytes));
  }

  // Does a call of so many bytes find a response that has grown? Not each one
  // does: its reply may be here before the messages are back in their place.
  bool FindsGrown(size_t bytes) {
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(Echo(bytes));
      if (echo_.capacity() >= bytes) return true;
    }
    return false;
  }

  const std::string target_ = NewTarget();
  NotingEcho echo_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<EchoService::Stub> stub_;
};

TEST_F(KeptMessages, NextLargeCallFindsThemGrown) {
  for (size_t bytes : {kMiB / 8, kMiB, 16 * kMiB}) {
    ASSERT_TRUE(Echo(bytes));
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(FindsGrown(bytes));
  }
}

TEST_F(KeptMessages, AreTheServersNotTheConnections) {
  ASSERT_TRUE(Echo(kMiB));
  stub_ = EchoService::NewStub(NewChannel(target_));
  EXPECT_TRUE(FindsGrown(kMiB));
}

TEST_F(KeptMessages, SmallCallsHaveThemGivenBack) {
  ASSERT_TRUE(FindsGrown(kMiB));
  // There may be several.
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(Echo(64));
  EXPECT_LT(echo_.capacity(), kMiB / 8);
}

TEST_F(KeptMessages, OfAHandlerThatFailsTooAreCounted) {
  // Its reply is large and never sent.
  EchoRequest request;
  request.set_reply_size_bytes(kMiB);
  request.set_status_code(StatusCode::NOT_FOUND);
  for (int i = 0; i < 3; ++i) {
    ClientContext context;
    EchoReply reply;
    EXPECT_EQ(stub_->Echo(&context, request, &reply).error_code(),
              StatusCode::NOT_FOUND);
  }
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(Echo(64));
  EXPECT_LT(echo_.capacity(), kMiB / 8);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
