// What judges a soak finds what it is to find.

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/soak/flatness.h"
#include "tests/soak/session.h"
#include "tests/soak/tally.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Account AccountOf(int64_t call, int begun, int ended, int code = 0) {
  Account account;
  account.set_call(call);
  account.set_begun(begun);
  account.set_ended(ended);
  account.set_code(code);
  return account;
}

// One call, and what a server says of it.
std::vector<std::string> Disagreements(Ending ending,
                                       const std::vector<Account>& accounts,
                                       bool interrupted = false) {
  CallRecord call;
  call.ending = ending;
  call.code = ending == Ending::kFailed ? 5 : 0;
  Settlement settlement;
  for (const Account& account : accounts) *settlement.add_accounts() = account;
  return Disagreements(std::vector<CallRecord>{call}, settlement, interrupted);
}

TEST(Books, AnsweredByOneHandlerAgree) {
  EXPECT_THAT(Disagreements(Ending::kOk, {AccountOf(0, 1, 1)}), IsEmpty());
  EXPECT_THAT(Disagreements(Ending::kFailed, {AccountOf(0, 1, 1, 5)}),
              IsEmpty());
}

TEST(Books, GivenUpWithOneHandlerOrNoneAgree) {
  for (const Ending ending :
       {Ending::kCancelled, Ending::kExpired, Ending::kDropped}) {
    EXPECT_THAT(Disagreements(ending, {}), IsEmpty());
    EXPECT_THAT(Disagreements(ending, {AccountOf(0, 1, 1)}), IsEmpty());
    EXPECT_THAT(Disagreements(ending, {AccountOf(0, 2, 2)}),
                ElementsAre(HasSubstr("more than one handler")));
    EXPECT_THAT(Disagreements(ending, {AccountOf(0, 1, 0)}),
                ElementsAre(HasSubstr("not ended")));
  }
}

TEST(Books, AnswerWithoutAHandlerIsFound) {
  EXPECT_THAT(Disagreements(Ending::kOk, {}),
              ElementsAre(HasSubstr("no handler")));
}

TEST(Books, SecondHandlerIsFound) {
  EXPECT_THAT(Disagreements(Ending::kOk, {AccountOf(0, 2, 2)}),
              ElementsAre(HasSubstr("more than one handler")));
}

TEST(Books, OtherCodeIsFound) {
  EXPECT_THAT(Disagreements(Ending::kFailed, {AccountOf(0, 1, 1, 6)}),
              ElementsAre(HasSubstr("returned 6")));
}

TEST(Books, HandlerOfNoCallIsFound) {
  EXPECT_THAT(
      Disagreements(Ending::kOk, {AccountOf(0, 1, 1), AccountOf(9, 1, 1)}),
      ElementsAre(HasSubstr("call 9, never made")));
}

TEST(Books, UnavailableIsAllowedOnlyAcrossARestart) {
  EXPECT_THAT(Disagreements(Ending::kUnavailable, {}),
              ElementsAre(HasSubstr("though the server lives")));
  EXPECT_THAT(Disagreements(Ending::kUnavailable, {}, true), IsEmpty());
  EXPECT_THAT(Disagreements(Ending::kOk, {}, true), IsEmpty());
  EXPECT_THAT(Disagreements(Ending::kWrong, {}, true),
              ElementsAre(HasSubstr("cannot have")));
}

TEST(Books, LineOfATallyComesBack) {
  Tally tally;
  tally.Count(CallKind::kBidi, Ending::kExpired, 1000);
  tally.sessions = 3;
  Tally copy;
  ASSERT_TRUE(copy.FromLine(tally.ToLine()));
  copy.Add(tally);
  EXPECT_EQ(copy.total(), 2);
  EXPECT_EQ(copy.total(Ending::kExpired), 2);
  EXPECT_EQ(copy.bytes, 2000);
  EXPECT_EQ(copy.sessions, 6);
  EXPECT_FALSE(copy.FromLine("1 2 3"));
}

TEST(Flatness, LineOfAConsumptionComesBack) {
  Consumption taken;
  taken.footprint = {1, 2, 3, 4};
  taken.threads = 5;
  taken.heap_bytes = 6;
  taken.private_bytes = 7;
  Consumption copy;
  ASSERT_TRUE(copy.FromLine(taken.ToLine()));
  EXPECT_EQ(copy.footprint, taken.footprint);
  EXPECT_EQ(copy.threads, 5);
  EXPECT_EQ(copy.heap_bytes, 6);
  EXPECT_EQ(copy.private_bytes, 7);
  EXPECT_FALSE(copy.FromLine("1 2 3 4 5 6"));
  EXPECT_FALSE(copy.FromLine("1 2 3 4 5 6 7 8"));
}

constexpr int64_t kSlack = 1000 << 10;

// A run of ten rests, ten seconds apart.
Flatness RunOf(Consumption (*at)(int rest)) {
  FlatnessLimits limits;
  limits.heap_slack_bytes = kSlack;
  limits.private_slack_bytes = kSlack;
  Flatness flat("it", limits);
  for (int i = 0; i < 10; ++i) flat.Add(10.0 * i, at(i));
  return flat;
}

TEST(Flatness, NoiseWithinTheSlackIsFlat) {
  const Flatness flat = RunOf([](int rest) {
    Consumption taken;
    taken.footprint.handles = 10;
    taken.heap_bytes = (rest % 3) * (kSlack / 2);
    taken.threads = rest;
    return taken;
  });
  EXPECT_THAT(flat.Complaints(), IsEmpty());
}

TEST(Flatness, OneHandleMoreIsFound) {
  const Flatness flat = RunOf([](int rest) {
    Consumption taken;
    taken.footprint.handles = rest == 9 ? 11 : 10;
    return taken;
  });
  EXPECT_THAT(flat.Complaints(), ElementsAre(HasSubstr("11 handles")));
}

TEST(Flatness, MappingsAndObjectsThatStayAreFound) {
  const Flatness flat = RunOf([](int rest) {
    Consumption taken;
    taken.footprint.mappings = rest == 4 ? 1 : 0;
    taken.footprint.mapped_bytes = rest == 5 ? 4096 : 0;
    taken.footprint.shm_bytes = rest == 6 ? 4096 : 0;
    return taken;
  });
  EXPECT_THAT(flat.Complaints(), ElementsAre(HasSubstr("1 mappings"),
                                             HasSubstr("mappings of 4 KiB"),
                                             HasSubstr("4 KiB in /dev/shm")));
}

TEST(Flatness, MemoryThatGrowsIsFound) {
  const Flatness flat = RunOf([](int rest) {
    Consumption taken;
    taken.heap_bytes = rest * (kSlack / 8);
    return taken;
  });
  EXPECT_THAT(flat.Complaints(), ElementsAre(HasSubstr("heap grew")));
}

TEST(Flatness, SlopeThatTheLastSampleHidesIsFound) {
  const Flatness flat = RunOf([](int rest) {
    Consumption taken;
    taken.private_bytes = rest == 9 ? 0 : rest * kSlack;
    return taken;
  });
  EXPECT_THAT(flat.Complaints(), ElementsAre(HasSubstr("private memory grew")));
}

TEST(Flatness, RunWithoutRestsIsNoProof) {
  EXPECT_THAT(Flatness("it", {}).Complaints(),
              ElementsAre(HasSubstr("not looked at twice")));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
