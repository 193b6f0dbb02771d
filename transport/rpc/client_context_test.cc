#include "shmrpc/client_context.h"

#include <chrono>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "transport/link/metadata.h"
#include "transport/platform/clock.h"
#include "transport/rpc/context_access.h"

namespace shmrpc {
namespace {

using internal::ClientContextAccess;
using std::chrono::hours;
using std::chrono::steady_clock;
using std::chrono::system_clock;

TEST(ClientContext, BeginsWithoutAnything) {
  const ClientContext context;
  EXPECT_EQ(context.deadline(), system_clock::time_point::max());
  EXPECT_EQ(
      gpr_time_cmp(context.raw_deadline(), gpr_inf_future(GPR_CLOCK_REALTIME)),
      0);
  EXPECT_TRUE(context.GetServerInitialMetadata().empty());
  EXPECT_TRUE(context.GetServerTrailingMetadata().empty());
  EXPECT_EQ(context.peer(), "");
  EXPECT_EQ(context.authority(), "");
  EXPECT_EQ(context.debug_error_string(), "");
}

template <class T>
void ExpectInAnHour(const T& deadline) {
  constexpr int64_t kMinuteNs = 60ll * 1000 * 1000 * 1000;
  ClientContext context;
  context.set_deadline(deadline);
  const int64_t distance_ns =
      ClientContextAccess::deadline_ns(context) - platform::MonotonicNowNs();
  // However long the lines above took, it is not half an hour.
  EXPECT_LE(distance_ns, 60 * kMinuteNs);
  EXPECT_GE(distance_ns, 30 * kMinuteNs);
}

TEST(ClientContext, EveryKindOfDeadlineIsTaken) {
  ExpectInAnHour(system_clock::now() + hours(1));
  ExpectInAnHour(steady_clock::now() + hours(1));
  const gpr_timespec hour = gpr_time_from_hours(1, GPR_TIMESPAN);
  ExpectInAnHour(hour);
  for (gpr_clock_type clock :
       {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME, GPR_CLOCK_PRECISE}) {
    ExpectInAnHour(gpr_time_add(gpr_now(clock), hour));
  }
}

TEST(ClientContext, MetadataTravelsAsAdded) {
  ClientContext context;
  context.AddMetadata("x-user", "ada");
  context.AddMetadata("x-user", "");
  std::string expected;
  link::AppendMetadata("x-user", "ada", &expected);
  link::AppendMetadata("x-user", "", &expected);
  EXPECT_EQ(ClientContextAccess::metadata(context), expected);
  EXPECT_EQ(ClientContextAccess::metadata_complaint(context), "");
}

TEST(ClientContext, IllegalMetadataIsKeptAsAComplaint) {
  ClientContext context;
  context.AddMetadata("X-User", "ada");
  EXPECT_EQ(ClientContextAccess::metadata(context), "");
  EXPECT_NE(ClientContextAccess::metadata_complaint(context), "");
}

TEST(ClientContext, MayBeCancelledWithoutACall) {
  ClientContext context;
  context.TryCancel();
  context.TryCancel();
  EXPECT_TRUE(ClientContextAccess::slot(&context)->requested());
}

TEST(ClientContext, MetadataOfTheServerIsMadeAMap) {
  ClientContext context;
  std::string initial;
  link::AppendMetadata("x-initial", "1", &initial);
  std::string trailing;
  link::AppendMetadata("x-trailing-bin", std::string(3, '\xab'), &trailing);
  ClientContextAccess::SetInitial(&context, std::move(initial));
  ClientContextAccess::SetTrailing(&context, std::move(trailing));
  ASSERT_EQ(context.GetServerInitialMetadata().count("x-initial"), 1u);
  ASSERT_EQ(context.GetServerTrailingMetadata().count("x-trailing-bin"), 1u);
  EXPECT_EQ(context.GetServerTrailingMetadata().begin()->second,
            "\xab\xab\xab");
}

}  // namespace
}  // namespace shmrpc
