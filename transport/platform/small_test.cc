// The small primitives: names, errors, the clock, randomness, the processor.

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"
#include "transport/platform/object_name.h"
#include "transport/platform/os_error.h"
#include "transport/platform/random.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string WhyNot(Scope scope, const std::string& name) {
  const absl::Status status = ValidateName({scope, name});
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ObjectName, PortableNamesAreValid) {
  for (const char* name : {"a", "shmrpc.echo", "A_b-c.9", "global", "-", "_"}) {
    EXPECT_EQ(WhyNot(Scope::kLocal, name), "") << name;
    EXPECT_EQ(WhyNot(Scope::kGlobal, name), "") << name;
  }
  EXPECT_EQ(WhyNot(Scope::kLocal, std::string(kMaxNameBytes, 'x')), "");
}

TEST(ObjectName, OffendingCharacterIsNamedWithItsPosition) {
  EXPECT_THAT(WhyNot(Scope::kLocal, "a/b"), HasSubstr("'/' at position 1"));
  EXPECT_THAT(WhyNot(Scope::kLocal, "ab\\c"), HasSubstr("at position 2"));
  EXPECT_THAT(WhyNot(Scope::kLocal, "a b"), HasSubstr("' ' at position 1"));
  EXPECT_THAT(WhyNot(Scope::kLocal, "\x01"), HasSubstr("'\\x01'"));
  EXPECT_THAT(WhyNot(Scope::kLocal, std::string("a\0b", 3)),
              HasSubstr("at position 1"));
  EXPECT_THAT(WhyNot(Scope::kLocal, "\xc3\xa9"), HasSubstr("at position 0"));
  EXPECT_THAT(WhyNot(Scope::kLocal, ".hidden"), HasSubstr("at position 0"));
  EXPECT_THAT(WhyNot(Scope::kLocal, ".."), HasSubstr("at position 0"));
}

TEST(ObjectName, LengthIsNamedWithTheLimit) {
  EXPECT_THAT(WhyNot(Scope::kLocal, std::string(121, 'x')),
              ::testing::AllOf(HasSubstr("121"), HasSubstr("120")));
  EXPECT_THAT(WhyNot(Scope::kLocal, ""), HasSubstr("empty"));
}

TEST(ObjectName, LocalNameCannotPoseAsGlobal) {
  EXPECT_THAT(WhyNot(Scope::kLocal, "global.echo"), HasSubstr("global."));
  EXPECT_EQ(WhyNot(Scope::kGlobal, "global.echo"), "");
}

TEST(ObjectName, ScopesHaveDifferentOsNames) {
  const ObjectName local{Scope::kLocal, "echo"};
  const ObjectName global{Scope::kGlobal, "echo"};
  EXPECT_NE(local.OsName(), global.OsName());
  EXPECT_THAT(local.OsName(), ::testing::EndsWith("echo"));
  EXPECT_EQ(local.WithSuffix(".1").OsName(), local.OsName() + ".1");
  EXPECT_EQ((ObjectName{Scope::kCustom, "/any\\thing"}).OsName(),
            "/any\\thing");
}

// ENOENT and ERROR_FILE_NOT_FOUND are both 2.
constexpr int kNoSuchFile = 2;

TEST(OsError, MessageSaysWhatWhyAndWhatToDo) {
  const int error = kNoSuchFile;
  const absl::Status status = OsError("open mapping \"x\"", error, "start it");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("open mapping \"x\": "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(" 2)"));
  EXPECT_THAT(std::string(status.message()), ::testing::EndsWith(": start it"));
  EXPECT_THAT(std::string(OsError("x", error).message()),
              ::testing::EndsWith("2)"));
}

TEST(OsError, UnknownNumberIsInternalAndShown) {
  const absl::Status status = OsError("x", 9999999);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("9999999"));
}

SHMRPC_TEST_ROLE(tell_time) {
  SendLine(std::to_string(MonotonicNowNs()));
  return 0;
}

TEST(Clock, NeverGoesBackAndIsTheSameInOtherProcesses) {
  const int64_t before = MonotonicNowNs();
  auto child = SpawnRole("tell_time");
  int64_t there = 0;
  ASSERT_TRUE(absl::SimpleAtoi(child.ReadLine().value_or(""), &there));
  const int64_t after = MonotonicNowNs();
  EXPECT_GT(before, 0);
  EXPECT_LT(before, there);
  EXPECT_LT(there, after);
  int64_t last = after;
  for (int i = 0; i < 100000; ++i) {
    const int64_t now = MonotonicNowNs();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Random, BitsAllVaryAndNamesAreValid) {
  uint64_t ones = 0;
  uint64_t zeros = 0;
  std::set<std::string> names;
  for (int i = 0; i < 200; ++i) {
    const uint64_t bits = RandomBits();
    ones |= bits;
    zeros |= ~bits;
    names.insert(RandomName());
  }
  // Each bit was both, but for a chance of 128 in 2^200.
  EXPECT_EQ(ones, UINT64_MAX);
  EXPECT_EQ(zeros, UINT64_MAX);
  EXPECT_EQ(names.size(), 200u);
  EXPECT_EQ(names.begin()->size(), 32u);
  EXPECT_EQ(WhyNot(Scope::kLocal, *names.begin()), "");
}

TEST(Cpu, HasACore) {
  EXPECT_GE(AvailableCores(), 1);
  CpuRelax();
  YieldThread();
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
