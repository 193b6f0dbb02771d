// A client that stands still for a while (SIGSTOP), under load: the others and
// the server do not mind, and it goes on where it was, or is killed there.

#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/death/load.h"
#include "tests/death/options.h"
#include "tests/death/peers.h"
#include "tests/death/server_footprint.h"
#include "tests/support/eventually.h"
#include "tests/support/stop_linux.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr uint32_t kRounds = 40;

class FrozenClient : public ::testing::Test {
 protected:
  FrozenClient() {
    EXPECT_TRUE(server_.started());
    before_ = ServerFootprintOf(&server_);
    MakeClients();
  }

  void MakeClients() {
    frozen_ = std::make_unique<DeathClient>(target_, UniqueName("held"));
    other_ = std::make_unique<DeathClient>(target_, UniqueName("held"));
  }

  void Freeze() { ASSERT_TRUE(StopProcess(frozen_->pid())); }
  void Thaw() { kill(static_cast<pid_t>(frozen_->pid()), SIGCONT); }

  // A moment by chance, of the calls' beginnings or later.
  void FreezeSomewhen() {
    frozen_->Go(kAllLoads | kDeadlines, random_());
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 10000));
    Freeze();
  }

  // The other client calls, holds calls, and leaves.
  void OtherClientGoesOn(int64_t calls) {
    Watchdog dog(50, "a client beside a frozen one");
    other_->Go(kAllLoads, random_());
    other_->AwaitHeld();
    other_->AwaitProgress(calls);
    EXPECT_EQ(other_->Collect("alive").wrong, "");
  }

  // Once nobody but the frozen client is connected.
  int64_t MappedForFrozen() {
    int64_t mapped = 0;
    EXPECT_TRUE(Eventually([&] {
      const int64_t last = mapped;
      mapped = server_.Look().mapped_bytes;
      return mapped == last;
    }));
    return mapped;
  }

  void End() {
    frozen_->ShutDown();
    other_->ShutDown();
  }

  const uint32_t seed_ = SeedOfThisRun();
  std::mt19937 random_{seed_};
  const std::string target_ = "shm:" + UniqueName("frozen");
  DeathServer server_{target_};
  ServerFootprint before_;
  std::unique_ptr<DeathClient> frozen_;
  std::unique_ptr<DeathClient> other_;
};

TEST_F(FrozenClient, OthersGoOnAndItsCallsEndOnceItRuns) {
  int64_t late = 0;
  for (uint32_t round = 0; round < kRounds && !HasFailure(); ++round) {
    SCOPED_TRACE(absl::StrCat("seed ", seed_, ", round ", round));
    FreezeSomewhen();
    OtherClientGoesOn(5);
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 80));
    Thaw();
    frozen_->AwaitHeld();
    Watchdog dog(50, "the calls of a client that was frozen");
    const ClientReport report = frozen_->Collect("alive");
    EXPECT_EQ(report.wrong, "");
    late += report.late;
    ExpectBackTo(before_, &server_);
  }
  std::printf("%u times frozen; %lld calls ended at their deadlines\n", kRounds,
              static_cast<long long>(late));
  End();
  server_.ShutDown();
}

TEST_F(FrozenClient, ServersMemoryStaysBounded) {
  FreezeSomewhen();
  OtherClientGoesOn(5);
  const int64_t first = MappedForFrozen();
  for (int i = 0; i < 5; ++i) OtherClientGoesOn(20);
  // What it asked for before lies there; no more of it comes.
  EXPECT_LE(MappedForFrozen(), first);
  // Four channels, with a window of each stream and a reply of each call.
  EXPECT_LE(first, before_.process.mapped_bytes + (int64_t{32} << 20));
  Thaw();
  frozen_->AwaitHeld();
  EXPECT_EQ(frozen_->Collect("alive").wrong, "");
  End();
  server_.ShutDown();
}

TEST_F(FrozenClient, ServerShutsDownNevertheless) {
  frozen_->Go(kAllLoads, random_());
  frozen_->AwaitHeld();
  Freeze();
  // With a deadline: the frozen client's calls are in flight.
  EXPECT_TRUE(server_.Stop().ok());
  DeathServer next(target_);
  ASSERT_TRUE(next.started());
  Thaw();
  EXPECT_EQ(frozen_->Collect("stopped").wrong, "");
  End();
  next.ShutDown();
  ExpectNoNames();
}

TEST_F(FrozenClient, KilledWhileFrozenLeavesNothing) {
  for (int i = 0; i < 10 && !HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", seed_, ", round ", i));
    FreezeSomewhen();
    OtherClientGoesOn(2);
    frozen_->Kill();
    ExpectBackTo(before_, &server_);
    frozen_ = std::make_unique<DeathClient>(target_, UniqueName("held"));
  }
  End();
  server_.ShutDown();
  ExpectNoNames();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
