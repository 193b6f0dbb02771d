// What a channel says of its connection, and calls that wait for a server.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/server_name.h"
#include "tests/support/server_process.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::system_clock;
using ::testing::StartsWith;

constexpr char kCannotConnect[] =
    "failed to connect to all addresses; last error: ";

// For what must happen: a hang is the watchdog's.
system_clock::time_point Later() { return FromNow(minutes(5)); }

std::unique_ptr<ServerProcess> Serve(const std::string& target) {
  ServerSettings settings;
  settings.targets = {target};
  return std::make_unique<ServerProcess>(settings);
}

class Connectivity : public ::testing::Test {
 protected:
  Connectivity() : target_(NewTarget()), channel_(NewChannel(target_)) {}

  Status Call(
      bool wait_for_ready, CallKind kind = CallKind::kUnary,
      system_clock::time_point deadline = system_clock::time_point::max()) {
    auto stub = Scripted::NewStub(channel_);
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    context.set_wait_for_ready(wait_for_ready);
    context.set_deadline(deadline);
    return MakeCall(stub.get(), kind, &context, ItemOf(100)).status;
  }

  // Until the channel is in `state`.
  void Await(grpc_connectivity_state state) {
    for (;;) {
      const grpc_connectivity_state now = channel_->GetState(false);
      if (now == state) return;
      ASSERT_TRUE(channel_->WaitForStateChange(now, Later()));
    }
  }

  Watchdog dog_{100, "a test of a channel's state"};
  const std::string target_;
  std::shared_ptr<Channel> channel_;
};

TEST_F(Connectivity, IsIdleUntilSomebodyNeedsIt) {
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_IDLE);
  auto server = Serve(target_);
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_IDLE);
  EXPECT_FALSE(channel_->WaitForStateChange(GRPC_CHANNEL_IDLE,
                                            FromNow(milliseconds(20))));
  EXPECT_FALSE(channel_->WaitForStateChange(GRPC_CHANNEL_IDLE,
                                            FromNow(-milliseconds(20))));
}

TEST_F(Connectivity, IsReadyAfterACall) {
  auto server = Serve(target_);
  EXPECT_TRUE(IsOk(Call(false)));
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_READY);
}

TEST_F(Connectivity, GetStateConnectsIfAsked) {
  auto server = Serve(target_);
  EXPECT_EQ(channel_->GetState(true), GRPC_CHANNEL_IDLE);
  Await(GRPC_CHANNEL_READY);
  EXPECT_TRUE(IsOk(Call(false)));
}

TEST_F(Connectivity, WaitForConnectedIsTrueWithAServer) {
  auto server = Serve(target_);
  EXPECT_TRUE(channel_->WaitForConnected(Later()));
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_READY);
  EXPECT_TRUE(channel_->WaitForConnected(FromNow(-milliseconds(1))));
}

TEST_F(Connectivity, WaitForConnectedIsFalseWithoutOneAtTheDeadline) {
  EXPECT_FALSE(channel_->WaitForConnected(FromNow(milliseconds(50))));
  EXPECT_FALSE(channel_->WaitForConnected(gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(20, GPR_TIMESPAN))));
}

TEST_F(Connectivity, WaitForConnectedMeetsAServerThatComesLater) {
  std::thread waiter([&] { EXPECT_TRUE(channel_->WaitForConnected(Later())); });
  Await(GRPC_CHANNEL_TRANSIENT_FAILURE);
  auto server = Serve(target_);
  waiter.join();
  EXPECT_TRUE(IsOk(Call(false)));
}

TEST_F(Connectivity, FailsWithoutServer) {
  EXPECT_THAT(Call(false).error_message(), StartsWith(kCannotConnect));
  Await(GRPC_CHANNEL_TRANSIENT_FAILURE);
}

TEST_F(Connectivity, LeavesReadyWhenTheServerEnds) {
  auto server = Serve(target_);
  EXPECT_TRUE(IsOk(Call(false)));
  std::thread watcher([&] {
    EXPECT_TRUE(channel_->WaitForStateChange(GRPC_CHANNEL_READY, Later()));
  });
  server.reset();
  watcher.join();
  EXPECT_NE(channel_->GetState(false), GRPC_CHANNEL_READY);
  server = Serve(target_);
  EXPECT_TRUE(channel_->WaitForConnected(Later()));
  EXPECT_TRUE(IsOk(Call(false)));
}

TEST_F(Connectivity, LeavesReadyWhenTheServerIsKilled) {
  auto server = Serve(target_);
  EXPECT_TRUE(IsOk(Call(false)));
  server->Kill();
  EXPECT_TRUE(channel_->WaitForStateChange(GRPC_CHANNEL_READY, Later()));
  server = Serve(target_);
  EXPECT_TRUE(channel_->WaitForConnected(Later()));
  EXPECT_TRUE(IsOk(Call(false)));
}

TEST_F(Connectivity, OfABadTargetNeverBecomesReady) {
  channel_ = NewChannel("not a target");
  EXPECT_FALSE(channel_->WaitForConnected(FromNow(milliseconds(50))));
}

TEST_F(Connectivity, OfNullCredentialsNeverBecomesReady) {
  auto server = Serve(target_);
  channel_ = CreateChannel(target_, nullptr);
  EXPECT_FALSE(channel_->WaitForConnected(FromNow(milliseconds(50))));
}

TEST_F(Connectivity, HasNoServicesConfigured) {
  EXPECT_EQ(channel_->GetLoadBalancingPolicyName(), "pick_first");
  EXPECT_EQ(channel_->GetServiceConfigJSON(), "{}");
}

// --- wait for ready

TEST_F(Connectivity, WaitForReadyCallsMeetAServerThatComesLater) {
  Status statuses[std::size(kCallKinds)];
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::size(kCallKinds); ++i) {
    threads.emplace_back([&, i] { statuses[i] = Call(true, kCallKinds[i]); });
  }
  Await(GRPC_CHANNEL_TRANSIENT_FAILURE);
  auto server = Serve(target_);
  for (std::thread& t : threads) t.join();
  for (const Status& status : statuses) EXPECT_TRUE(IsOk(status));
}

TEST_F(Connectivity, WaitForReadyWithAServerIsAnOrdinaryCall) {
  auto server = Serve(target_);
  for (const CallKind kind : kCallKinds) EXPECT_TRUE(IsOk(Call(true, kind)));
}

TEST_F(Connectivity, WithoutWaitForReadyFailsAtOnceEvenWhileOthersWait) {
  Status waited;
  std::thread waiter([&] { waited = Call(true); });
  Await(GRPC_CHANNEL_TRANSIENT_FAILURE);
  for (const CallKind kind : kCallKinds) {
    const Status status = Call(false, kind);
    EXPECT_EQ(status.error_code(), UNAVAILABLE);
    EXPECT_THAT(status.error_message(), StartsWith(kCannotConnect));
  }
  auto server = Serve(target_);
  waiter.join();
  EXPECT_TRUE(IsOk(waited));
}

TEST_F(Connectivity, WaitForReadyOfABadTargetFailsAtOnce) {
  channel_ = NewChannel("not a target");
  for (const CallKind kind : kCallKinds) {
    EXPECT_EQ(Call(true, kind).error_code(), INVALID_ARGUMENT);
  }
}

TEST_F(Connectivity, StreamWithoutServerFailsEverything) {
  auto stub = Scripted::NewStub(channel_);
  ClientContext context;
  auto stream = stub->Bidi(&context);
  stream->WaitForInitialMetadata();
  Item item;
  uint32_t size_bytes = 0;
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_FALSE(stream->NextMessageSize(&size_bytes));
  EXPECT_FALSE(stream->Write(item));
  const Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), UNAVAILABLE);
  EXPECT_THAT(status.error_message(), StartsWith(kCannotConnect));
  EXPECT_EQ(context.peer(), "");
}

TEST_F(Connectivity, ServerThatComesBackServesStreamsOfTheSameChannel) {
  for (int i = 0; i < 3; ++i) {
    auto server = Serve(target_);
    for (const CallKind kind : kCallKinds) EXPECT_TRUE(IsOk(Call(true, kind)));
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
