// A context made for a call that serves another one.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "shmrpc/cancel.h"
#include "shmrpc/client_context.h"
#include "shmrpc/server_context.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/server_call_state.h"

namespace shmrpc {
namespace internal {
namespace {

class Call final : public ServerCallState {
 public:
  bool IsCancelled() const override { return false; }
  void TryCancel() override { group_->CancelAll(); }
  const std::string& peer() const override { return bytes_; }
  std::shared_ptr<const AuthContext> auth_context() const override {
    return nullptr;
  }
  const std::string& client_metadata() const override { return bytes_; }
  std::shared_ptr<CancelGroup> cancel_group() override { return group_; }

 private:
  const std::string bytes_;
  const std::shared_ptr<CancelGroup> group_ = std::make_shared<CancelGroup>();
};

constexpr int64_t kServerDeadlineNs = 5000;

class FromServerContext : public ::testing::Test {
 protected:
  FromServerContext() {
    ServerContextAccess::Bind(&server_context_, &call_, kServerDeadlineNs);
  }
  std::unique_ptr<ClientContext> Make(
      PropagationOptions options = PropagationOptions()) {
    return ClientContext::FromServerContext(server_context_, options);
  }
  static bool Cancelled(ClientContext* context) {
    return ClientContextAccess::slot(context)->requested();
  }

  Call call_;
  ServerContext server_context_;
};

TEST_F(FromServerContext, EndsWithTheServersDeadline) {
  const auto context = Make();
  EXPECT_EQ(ClientContextAccess::deadline_ns(*context), kServerDeadlineNs);
  // The program set none.
  EXPECT_EQ(context->deadline(), std::chrono::system_clock::time_point::max());
}

TEST_F(FromServerContext, EarlierDeadlineHolds) {
  const auto context = Make();
  context->set_deadline(gpr_time_from_nanos(6000, GPR_CLOCK_MONOTONIC));
  EXPECT_EQ(ClientContextAccess::deadline_ns(*context), kServerDeadlineNs);
  context->set_deadline(gpr_time_from_nanos(4000, GPR_CLOCK_MONOTONIC));
  EXPECT_EQ(ClientContextAccess::deadline_ns(*context), 4000);
}

TEST_F(FromServerContext, IsCancelledWithTheServersCall) {
  const auto before = Make();
  EXPECT_FALSE(Cancelled(before.get()));
  Make().reset();  // is not known any more
  call_.TryCancel();
  EXPECT_TRUE(Cancelled(before.get()));
  EXPECT_TRUE(Cancelled(Make().get()));
}

TEST_F(FromServerContext, TakesOverOnlyWhatItIsTold) {
  const auto deadline =
      Make(PropagationOptions().disable_cancellation_propagation());
  const auto cancellation =
      Make(PropagationOptions().disable_deadline_propagation());
  call_.TryCancel();
  EXPECT_FALSE(Cancelled(deadline.get()));
  EXPECT_EQ(ClientContextAccess::deadline_ns(*deadline), kServerDeadlineNs);
  EXPECT_TRUE(Cancelled(cancellation.get()));
  EXPECT_EQ(ClientContextAccess::deadline_ns(*cancellation), kInfiniteFutureNs);
}

TEST_F(FromServerContext, MayOutliveTheServersCall) {
  auto call = std::make_unique<Call>();
  ServerContext server_context;
  ServerContextAccess::Bind(&server_context, call.get(), kServerDeadlineNs);
  const auto context = ClientContext::FromServerContext(server_context);
  call.reset();
  EXPECT_FALSE(Cancelled(context.get()));
}

TEST_F(FromServerContext, ContextWithoutACallIsNoParent) {
  const ServerContext server_context;
  const auto context = ClientContext::FromServerContext(server_context);
  EXPECT_EQ(ClientContextAccess::deadline_ns(*context), kInfiniteFutureNs);
  EXPECT_FALSE(Cancelled(context.get()));
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
