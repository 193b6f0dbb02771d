// The testing support itself: children, lines, kills, the watchdog.

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

SHMRPC_TEST_ROLE(echo) {
  std::string line;
  while (ReceiveLine(&line)) SendLine(args.at(0) + line);
  return 7;
}

SHMRPC_TEST_ROLE(print_variable) {
  const char* value = std::getenv("SHMRPC_TEST_VARIABLE");
  SendLine(value == nullptr ? "(none)" : value);
  return 0;
}

SHMRPC_TEST_ROLE(hang) {
  Watchdog dog(1, "made to hang");
  SendLine("hanging");
  std::string line;
  ReceiveLine(&line);  // never comes
  return 0;
}

TEST(Subprocess, LinesGoBothWaysAndExitCodeComesBack) {
  Subprocess child = SpawnRole("echo", {"say \"a\\\\b\" "});
  EXPECT_TRUE(child.WriteLine("one"));
  EXPECT_TRUE(child.WriteLine("two words"));
  EXPECT_EQ(child.ReadLine(), "say \"a\\\\b\" one");
  EXPECT_EQ(child.ReadLine(), "say \"a\\\\b\" two words");
  child.CloseStdin();
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
  const ExitStatus status = child.Wait();
  EXPECT_EQ(status.code, 7);
  EXPECT_EQ(status.signal, 0);
  EXPECT_FALSE(status.ok());
}

TEST(Subprocess, KilledIsNotOk) {
  Subprocess child = SpawnRole("echo", {""});
  child.WriteLine("up");
  EXPECT_EQ(child.ReadLine(), "up");
  child.Kill();
  EXPECT_FALSE(child.Wait().ok());
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
}

TEST(Subprocess, TwoChildrenDoNotHoldEachOthersPipes) {
  Subprocess first = SpawnRole("echo", {"1"});
  Subprocess second = SpawnRole("echo", {"2"});
  first.CloseStdin();
  EXPECT_EQ(first.ReadLine(), absl::nullopt);  // although second runs
  EXPECT_EQ(first.Wait().code, 7);
  second.WriteLine("x");
  EXPECT_EQ(second.ReadLine(), "2x");
}

TEST(Subprocess, MovedChildAnswers) {
  Subprocess child = SpawnRole("echo", {"a"});
  child = SpawnRole("echo", {"b"});
  child.WriteLine("x");
  EXPECT_EQ(child.ReadLine(), "bx");
}

TEST(Subprocess, EnvironmentGivenReachesChild) {
  Subprocess child =
      SpawnRole("print_variable", {}, {{"SHMRPC_TEST_VARIABLE", "some value"}});
  EXPECT_EQ(child.ReadLine(), "some value");
  EXPECT_TRUE(child.Wait().ok());
}

TEST(Role, UnknownEndsWith64) {
  EXPECT_EQ(SpawnRole("no_such_role").Wait().code, 64);
}

TEST(Watchdog, TimeOverEndsProcess) {
  Subprocess child = SpawnRole("hang");
  EXPECT_EQ(child.ReadLine(), "hanging");
  EXPECT_FALSE(child.Wait().ok());
}

TEST(Watchdog, DestroyedInTimeDoesNothing) {
  for (int i = 0; i < 20; ++i) Watchdog dog(60);
}

TEST(Leftovers, UnknownPrefixIsEmpty) {
  EXPECT_TRUE(Leftovers(UniqueName("leftovers-test")).empty());
  EXPECT_NE(UniqueName("a"), UniqueName("a"));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
