// A server that is killed and started again under its name, many times, while
// clients call without pause through the channels that they have.

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/death/load.h"
#include "tests/death/options.h"
#include "tests/death/peers.h"
#include "tests/death/server_footprint.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

// Set by BUILD.
constexpr uint32_t kRestarts = SHMRPC_DEATH_RESTARTS;

TEST(ServerRestarted, EveryCallEndsAndTheChannelsGoOn) {
  const uint32_t seed = SeedOfThisRun();
  std::mt19937 random(seed);
  const std::string target = "shm:" + UniqueName("restarted");
  auto server = std::make_unique<DeathServer>(target);
  ASSERT_TRUE(server->started());
  DeathClient one(target, UniqueName("held"));
  DeathClient other(target, UniqueName("held"));
  for (DeathClient* client : {&one, &other}) client->Go(kAllLoads, random());
  for (DeathClient* client : {&one, &other}) client->AwaitHeld();
  for (uint32_t i = 0; i < kRestarts; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", restart ", i));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5000));
    server->Kill();
    // Sometimes there is none for a while.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    server = std::make_unique<DeathServer>(target);
    ASSERT_TRUE(server->started());
    // Else the next death may come before anybody has connected.
    if (i % 2 == 0) {
      one.AwaitProgress();
      other.AwaitProgress();
    }
  }
  int64_t good = 0;
  int64_t told = 0;
  for (DeathClient* client : {&one, &other}) {
    const ClientReport report = client->Collect("killed");
    EXPECT_EQ(report.wrong, "");
    good += report.good;
    told += report.told;
    client->ShutDown();
  }
  server->ShutDown();
  ExpectNoNames();
  std::printf("%u restarts: %lld calls answered, %lld told\n", kRestarts,
              static_cast<long long>(good), static_cast<long long>(told));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
