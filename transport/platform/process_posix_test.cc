// Zombies and forks.

#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "transport/platform/process.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::Notification;
using ::shmrpc::testing::Watchdog;

TEST(ProcessPosix, ZombieIsDead) {
  Watchdog dog;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  // Waits for the end and leaves the zombie.
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT),
            0);
  const auto id = ProcessWithPid(static_cast<uint32_t>(child));
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_FALSE(IsAlive(*id));
  Notification dead;
  auto watch = DeathWatch::Start(*id, [&] { dead.Notify(); });
  ASSERT_TRUE(watch.ok()) << watch.status();
  dead.Wait();
  waitpid(child, nullptr, 0);
}

// The watching thread does not exist in a forked child.
TEST(ProcessPosix, ForkedChildStartsItsOwnWatchThread) {
  Watchdog dog;
  auto in_parent = DeathWatch::Start(CurrentProcess(), [] {});
  ASSERT_TRUE(in_parent.ok()) << in_parent.status();
  const pid_t child = fork();
  if (child == 0) {
    in_parent->reset();
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      while (true) pause();
    }
    const auto id = ProcessWithPid(static_cast<uint32_t>(grandchild));
    if (!id.ok()) _exit(1);
    Notification dead;
    auto watch = DeathWatch::Start(*id, [&] { dead.Notify(); });
    if (!watch.ok()) _exit(2);
    if (!KillProcess(id->pid).ok()) _exit(3);
    dead.Wait();
    _exit(42);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
