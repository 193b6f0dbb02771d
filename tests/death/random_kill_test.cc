// Clients or the server are killed at random moments under load of all kinds;
// who survives goes on. SHMRPC_TEST_ROUNDS: how many kills.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/death/load.h"
#include "tests/death/options.h"
#include "tests/death/peers.h"
#include "tests/death/server_footprint.h"
#include "tests/trouble/support.h"
#include "transport/platform/clock.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kClients = 3;
// Set by BUILD. Roles are ended after two minutes.
constexpr uint32_t kRounds = SHMRPC_DEATH_ROUNDS;
constexpr int kRoundsPerProcess = SHMRPC_DEATH_ROUNDS_PER_PROCESS;

class RandomKill : public ::testing::Test {
 protected:
  void SetUp() override {
    StartServer();
    before_ = ServerFootprintOf(server_.get());
  }

  void StartServer() {
    server_ = std::make_unique<DeathServer>(target_);
    ASSERT_TRUE(server_->started());
  }

  void FillUpClients() {
    while (clients_.size() < kClients) {
      clients_.push_back(
          std::make_unique<DeathClient>(target_, UniqueName("held")));
    }
  }

  void Renew() {
    for (auto& client : clients_) client->ShutDown();
    clients_.clear();
    server_->ShutDown();
    ExpectNoNames();
    StartServer();
  }

  void Begin() {
    FillUpClients();
    for (auto& client : clients_) {
      client->Go(1 + random_() % kAllLoads, random_());
    }
  }

  // The random moment: while calls begin and connections are made, or later.
  bool Moment() {
    const bool held = random_() % 2 == 0;
    if (held) {
      for (auto& client : clients_) client->AwaitHeld();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 4000));
    return held;
  }

  void Collect(const std::string& what) {
    for (auto& client : clients_) {
      const ClientReport report = client->Collect(what);
      EXPECT_EQ(report.wrong, "");
      good_ += report.good;
      told_ += report.told;
      // Else it ended before, because of nothing but its connecting.
      if (what == "killed" && report.ended_ns > killed_ns_) {
        latencies_.Add(report.ended_ns - killed_ns_);
      }
    }
  }

  void KillClient(size_t index) {
    const bool held = Moment();
    clients_[index]->Kill();
    clients_.erase(clients_.begin() + static_cast<int>(index));
    if (!held) {
      for (auto& client : clients_) client->AwaitHeld();
    }
    Collect("alive");
    names_left_ += ExpectBackTo(before_, server_.get());
  }

  void KillServer() {
    const bool held = Moment();
    killed_ns_ = platform::MonotonicNowNs();
    server_->Kill();
    if (!held) {
      for (auto& client : clients_) client->AwaitHeld();
    }
    StartServer();
    Collect("killed");
    names_left_ += ExpectBackTo(before_, server_.get());
  }

  const uint32_t seed_ = SeedOfThisRun();
  std::mt19937 random_{seed_};
  const std::string target_ = "shm:" + UniqueName("random");
  std::unique_ptr<DeathServer> server_;
  std::vector<std::unique_ptr<DeathClient>> clients_;
  ServerFootprint before_;
  int64_t killed_ns_ = 0;
  int64_t good_ = 0;
  int64_t told_ = 0;
  int names_left_ = 0;
  Latencies latencies_;
};

TEST_F(RandomKill, SurvivorsGoOnAndNothingIsLost) {
  const uint32_t rounds = NumberFrom("SHMRPC_TEST_ROUNDS", kRounds);
  uint32_t servers = 0;
  for (uint32_t round = 0; round < rounds && !HasFailure(); ++round) {
    if (round != 0 && round % kRoundsPerProcess == 0) Renew();
    Watchdog dog(100, "a round of random kills");
    const uint32_t victim = random_() % (kClients + 1);
    SCOPED_TRACE(absl::StrCat("seed ", seed_, ", round ", round, ", victim ",
                              victim == kClients ? "server" : "client"));
    Begin();
    if (victim == kClients) {
      ++servers;
      KillServer();
    } else {
      KillClient(victim);
    }
  }
  Renew();
  server_->ShutDown();
  ExpectNoNames();
  std::printf(
      "%u kills, %u of them of the server; %lld calls answered, %lld told that "
      "the server was gone; %d names of dead clients removed by a server\n",
      rounds, servers, static_cast<long long>(good_),
      static_cast<long long>(told_), names_left_);
  latencies_.Print("server killed -> the last pending call of a client ended");
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
