// Calls that a handler makes to serve its own: deadline and cancellation go on
// to them, as PropagationOptions say.

#include <chrono>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr int64_t kHourMs = 3600 * 1000;

// Parents are of each kind; children are unary calls to the same server, over a
// connection that the server makes to itself.
class Propagation : public EveryKind {
 protected:
  Child ChildOf(const HandlerScript& script) {
    Child child;
    child.set_target(server().target());
    *child.mutable_script() = script.script();
    return child;
  }

  // Of the child, as its context and its handler saw it.
  int64_t RemainingMs(const Child& child, const HandlerScript& child_script,
                      ClientContext* parent_context) {
    HandlerScript parent;
    parent.Call(child);
    parent.AddTo(parent_context);
    EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), parent_context).status));
    EXPECT_EQ(parent.AwaitEnd(observer()).steps(0).outcome().code(), OK);
    return child_script.AwaitEnd(observer()).deadline_remaining_ms();
  }
};

TEST_P(Propagation, DeadlineGoesOn) {
  HandlerScript script;
  ClientContext context;
  context.set_deadline(FromNow(hours(1)));
  const int64_t remaining_ms = RemainingMs(ChildOf(script), script, &context);
  EXPECT_GT(remaining_ms, 0);
  EXPECT_LE(remaining_ms, kHourMs);
}

TEST_P(Propagation, NoDeadlineGoesOn) {
  HandlerScript script;
  ClientContext context;
  EXPECT_EQ(RemainingMs(ChildOf(script), script, &context), -1);
}

TEST_P(Propagation, DeadlineStaysIfDisabled) {
  HandlerScript script;
  Child child = ChildOf(script);
  child.set_drop_deadline(true);
  ClientContext context;
  context.set_deadline(FromNow(hours(1)));
  EXPECT_EQ(RemainingMs(child, script, &context), -1);
}

TEST_P(Propagation, EarlierDeadlineOfTheChildHolds) {
  HandlerScript script;
  Child child = ChildOf(script);
  child.set_deadline_ms(kHourMs);
  ClientContext context;
  context.set_deadline(FromNow(hours(2)));
  EXPECT_LE(RemainingMs(child, script, &context), kHourMs);
}

TEST_P(Propagation, LaterDeadlineOfTheChildDoesNot) {
  HandlerScript script;
  Child child = ChildOf(script);
  child.set_deadline_ms(2 * kHourMs);
  ClientContext context;
  context.set_deadline(FromNow(hours(1)));
  EXPECT_LE(RemainingMs(child, script, &context), kHourMs);
}

TEST_P(Propagation, PassedDeadlineEndsTheChild) {
  HandlerScript child, parent;
  child.UntilCancelled();
  Child call = ChildOf(child);
  call.set_drop_cancellation(true);
  parent.Call(call);
  ClientContext context;
  parent.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(300)));
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status,
                 DEADLINE_EXCEEDED, "Deadline Exceeded"));
  const HandlerReport report = parent.AwaitEnd(observer());
  EXPECT_EQ(report.steps(0).outcome().code(), DEADLINE_EXCEEDED);
  EXPECT_EQ(report.steps(0).outcome().message(), "Deadline Exceeded");
  EXPECT_TRUE(child.AwaitEnd(observer()).was_cancelled());
}

// Both ways at once: whichever comes first, the child ends.
TEST_P(Propagation, PassedDeadlineOrItsCancelEndsTheChild) {
  HandlerScript child, parent;
  child.UntilCancelled();
  parent.Call(ChildOf(child));
  ClientContext context;
  parent.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(300)));
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status,
                 DEADLINE_EXCEEDED, "Deadline Exceeded"));
  const int code = parent.AwaitEnd(observer()).steps(0).outcome().code();
  EXPECT_TRUE(code == DEADLINE_EXCEEDED || code == CANCELLED) << code;
  EXPECT_TRUE(child.AwaitEnd(observer()).was_cancelled());
}

TEST_P(Propagation, CancelGoesOn) {
  HandlerScript child, parent;
  child.UntilCancelled();
  parent.Call(ChildOf(child));
  ClientContext context;
  parent.AddTo(&context);
  std::thread canceller([&] {
    child.AwaitStart(observer());
    context.TryCancel();
  });
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED,
                 "CANCELLED"));
  canceller.join();
  const HandlerReport report = parent.AwaitEnd(observer());
  EXPECT_EQ(report.steps(0).outcome().code(), CANCELLED);
  EXPECT_EQ(report.steps(0).outcome().message(), "CANCELLED");
  EXPECT_TRUE(report.was_cancelled());
  EXPECT_TRUE(child.AwaitEnd(observer()).was_cancelled());
}

TEST_P(Propagation, CancelGoesOnToGrandchildren) {
  HandlerScript grandchild, child, parent;
  grandchild.UntilCancelled();
  child.Call(ChildOf(grandchild));
  parent.Call(ChildOf(child));
  ClientContext context;
  parent.AddTo(&context);
  std::thread canceller([&] {
    grandchild.AwaitStart(observer());
    context.TryCancel();
  });
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED,
                 "CANCELLED"));
  canceller.join();
  EXPECT_TRUE(grandchild.AwaitEnd(observer()).was_cancelled());
  EXPECT_TRUE(parent.AwaitEnd(observer()).was_cancelled());
}

TEST_P(Propagation, CancelOfAParentCancelsChildrenMadeLater) {
  HandlerScript child, parent;
  child.UntilCancelled();
  parent.UntilCancelled().Call(ChildOf(child));
  ClientContext context;
  parent.AddTo(&context);
  std::thread canceller([&] {
    parent.AwaitStart(observer());
    context.TryCancel();
  });
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED,
                 "CANCELLED"));
  canceller.join();
  EXPECT_EQ(parent.AwaitEnd(observer()).steps(1).outcome().code(), CANCELLED);
}

TEST_P(Propagation, CancelStaysIfDisabled) {
  HandlerScript child, parent;
  child.HoldAt(child.name());
  Child call = ChildOf(child);
  call.set_drop_cancellation(true);
  parent.Call(call);
  ClientContext context;
  parent.AddTo(&context);
  std::thread canceller([&] {
    child.AwaitStart(observer());
    context.TryCancel();
  });
  EXPECT_TRUE(Is(MakeCall(stub(), GetParam(), &context).status, CANCELLED,
                 "CANCELLED"));
  canceller.join();
  PassGate(observer(), child.name());
  const HandlerReport report = parent.AwaitEnd(observer());
  EXPECT_EQ(report.steps(0).outcome().code(), OK);
  EXPECT_TRUE(report.was_cancelled());
  EXPECT_FALSE(child.AwaitEnd(observer()).was_cancelled());
}

TEST_P(Propagation, EndOfTheParentLeavesNothingCancelled) {
  HandlerScript child, parent;
  parent.Call(ChildOf(child)).Call(ChildOf(child));
  for (int i = 0; i < 20; ++i) {
    ClientContext context;
    parent.AddTo(&context);
    EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &context).status));
  }
  EXPECT_EQ(child.AwaitEnd(observer(), 40).cancelled(), 0);
}

INSTANTIATE_TEST_SUITE_P(, Propagation, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

}  // namespace
}  // namespace testing
}  // namespace shmrpc
