// Channels that can never connect, and the states of one that can, through the
// public surface.

#include "shmrpc/channel.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/client_context.h"
#include "shmrpc/generated.h"
#include "shmrpc/server_builder.h"
#include "shmrpc/time.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace {

using google::protobuf::StringValue;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::Each;
using ::testing::HasSubstr;

Status Call(Channel* channel, ClientContext* context) {
  static const internal::RpcMethod method("/test.Service/Method");
  StringValue response;
  return channel->BlockingUnaryCall(method, context, StringValue(), &response);
}

class ChannelTest : public ::testing::Test {
 protected:
  std::unique_ptr<Server> NewServer(
      const std::shared_ptr<ServerCredentials>& credentials) {
    ServerBuilder builder;
    builder.AddListeningPort(target_, credentials);
    return builder.BuildAndStart();
  }

  static void ExpectLame(Channel* channel, const std::string& text) {
    ClientContext context;
    context.set_wait_for_ready(true);
    const Status status = Call(channel, &context);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(text));
    EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_TRANSIENT_FAILURE);
    EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_IDLE,
                                            steady_clock::time_point::max()));
    const auto deadline = steady_clock::now() + milliseconds(10);
    EXPECT_FALSE(channel->WaitForConnected(deadline));
    EXPECT_GE(steady_clock::now(), deadline);
  }

  Watchdog dog_{120, "channel"};
  const std::string target_ = "shm:" + UniqueName("test.channel");
};

TEST_F(ChannelTest, NullCredentialsAreLame) {
  ExpectLame(CreateChannel(target_, nullptr).get(), "Invalid credentials.");
}

TEST_F(ChannelTest, BadTargetIsLame) {
  ExpectLame(CreateChannel("shm:a/b/c", InsecureChannelCredentials()).get(),
             "shm:a/b/c");
}

TEST_F(ChannelTest, CredentialsForNetworksAreLame) {
  ExpectLame(CreateChannel(target_, SslCredentials({})).get(),
             "use InsecureChannelCredentials()");
  ExpectLame(CreateChannel(target_, CompositeChannelCredentials(
                                        InsecureChannelCredentials(),
                                        AccessTokenCredentials("token")))
                 .get(),
             "AccessTokenCredentials");
}

TEST_F(ChannelTest, ServerWithCredentialsForNetworksDoesNotStart) {
  EXPECT_EQ(NewServer(SslServerCredentials({})), nullptr);
  EXPECT_NE(NewServer(InsecureServerCredentials()), nullptr);
  EXPECT_NE(NewServer(experimental::LocalServerCredentials(UDS)), nullptr);
}

TEST_F(ChannelTest, StatesFollowTheServer) {
  const auto channel =
      CreateChannel(target_, experimental::LocalCredentials(LOCAL_TCP));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_IDLE);
  EXPECT_FALSE(
      channel->WaitForConnected(steady_clock::now() + milliseconds(30)));
  auto server = NewServer(InsecureServerCredentials());
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(channel->WaitForConnected(steady_clock::time_point::max()));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
  server->Shutdown();
  EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_READY,
                                          steady_clock::time_point::max()));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_IDLE);
  server = NewServer(InsecureServerCredentials());
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(channel->WaitForConnected(steady_clock::time_point::max()));
}

// Its state is another one each time it is asked; takes down until when it was
// waited for the next.
class RestlessChannel final : public Channel {
 public:
  grpc_connectivity_state GetState(bool) override {
    const grpc_connectivity_state states[] = {
        GRPC_CHANNEL_IDLE, GRPC_CHANNEL_CONNECTING,
        GRPC_CHANNEL_TRANSIENT_FAILURE, GRPC_CHANNEL_READY};
    return states[deadlines_ns.size()];
  }
  Status BlockingUnaryCall(const internal::RpcMethod&, ClientContext*,
                           const google::protobuf::MessageLite&,
                           google::protobuf::MessageLite*) override {
    return Status();
  }
  std::unique_ptr<internal::ClientStream> StartStream(
      const internal::RpcMethod&, ClientContext*,
      const google::protobuf::MessageLite*,
      google::protobuf::MessageLite*) override {
    return nullptr;
  }

  std::vector<int64_t> deadlines_ns;

 private:
  bool WaitForStateChangeImpl(grpc_connectivity_state,
                              int64_t deadline_ns) override {
    deadlines_ns.push_back(deadline_ns);
    // Until a span that began now would end at another time.
    const int64_t now_ns = platform::MonotonicNowNs();
    while (platform::MonotonicNowNs() == now_ns) {
    }
    return true;
  }
};

TEST_F(ChannelTest, SpanToConnectInBeginsOnce) {
  RestlessChannel channel;
  EXPECT_TRUE(channel.WaitForConnected(gpr_time_from_hours(1, GPR_TIMESPAN)));
  ASSERT_EQ(channel.deadlines_ns.size(), 3u);
  EXPECT_THAT(channel.deadlines_ns, Each(channel.deadlines_ns[0]));
}

TEST_F(ChannelTest, CallWithoutAServerFailsAtOnceOrWaitsForReady) {
  const auto channel = CreateChannel(target_, InsecureChannelCredentials());
  ClientContext at_once;
  EXPECT_EQ(Call(channel.get(), &at_once).error_code(),
            StatusCode::UNAVAILABLE);
  ClientContext patient;
  patient.set_wait_for_ready(true);
  patient.set_deadline(steady_clock::now() + milliseconds(30));
  const Status late = Call(channel.get(), &patient);
  EXPECT_EQ(late.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(late.error_message(), "Deadline Exceeded");
  ClientContext cancelled;
  cancelled.set_wait_for_ready(true);
  cancelled.TryCancel();
  const Status status = Call(channel.get(), &cancelled);
  EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
  EXPECT_EQ(status.error_message(), "CANCELLED");
}

}  // namespace
}  // namespace shmrpc
