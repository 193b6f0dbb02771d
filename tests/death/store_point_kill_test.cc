// A client, then a server, is ended at every store to shared memory that our
// code makes, one at a time; who survives goes on. Which stores there are is
// read out of the sources: a new one that no scenario comes by fails the test.
//
// SHMRPC_TEST_EVERY_POINT=1 ends it at each of the thousands of points of a
// scenario in turn, not only at the first of each name and some by chance.

#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/death/kill_at.h"
#include "tests/death/load.h"
#include "tests/death/options.h"
#include "tests/death/peers.h"
#include "tests/death/scenario.h"
#include "tests/death/server_footprint.h"
#include "tests/support/echo_service.h"
#include "tests/support/script_service.h"
#include "tests/trouble/fake_peer.h"
#include "tests/trouble/support.h"
#include "transport/link/lobby.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace testing {
namespace {

// Set by BUILD: starting a process under Wine takes ten times as long.
constexpr int kFirst = SHMRPC_DEATH_FIRST;    // of each name
constexpr int kRandom = SHMRPC_DEATH_RANDOM;  // later ones

// A role is ended after two minutes, so none lives through a whole test.
constexpr int kRoundsPerProcess = SHMRPC_DEATH_ROUNDS_PER_PROCESS;

// args: target, where to die.
SHMRPC_TEST_ROLE(victim_server) {
  ArmKill(args.at(1));
  const int exit_code = RunDeathServer(args);
  SendLine(CountedPoints());
  return exit_code;
}

// args: target, where to die, deaf target, name of objects.
SHMRPC_TEST_ROLE(victim_client) {
  ArmKill(args.at(1));
  ScenarioSettings settings;
  settings.target = args.at(0);
  settings.deaf_target = args.at(2);
  settings.object_name = args.at(3);
  SendLine("ran " + RunScenario(settings));
  SendLine(CountedPoints());
  return 0;
}

using Counts = std::map<std::string, int64_t>;

// What became of a victim.
struct Fate {
  std::string died_at;  // "": it lived
  Counts counts;        // if it lived
};

Fate FateFrom(const std::vector<std::string>& lines) {
  Fate fate;
  for (const std::string& line : lines) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "died ")) {
      fate.died_at = std::string(rest);
    } else if (absl::ConsumePrefix(&rest, "counts ")) {
      for (absl::string_view point : absl::StrSplit(rest, ',')) {
        const std::vector<std::string> parts = absl::StrSplit(point, '=');
        int64_t count = 0;
        if (parts.size() == 2 && absl::SimpleAtoi(parts[1], &count)) {
          fate.counts[parts[0]] = count;
        }
      }
    } else if (line != "ran ") {
      ADD_FAILURE() << "the victim said: " << line;
    }
  }
  return fate;
}

// All names at which either victim was ended.
std::set<std::string>& NamesKilledAt() {
  static auto* const names = new std::set<std::string>;
  return *names;
}

class StorePointKill : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!platform::kHaveStorePoints) {
      GTEST_SKIP() << "built without store points; run it with "
                      "--config=store-points";
    }
  }

  // One run, which dies at `where` if it comes by there. All checks.
  virtual Fate Round(const std::string& where) = 0;

  Fate OneRound(const std::string& where) {
    SCOPED_TRACE(absl::StrCat("seed ", seed_, ", to die at ", where));
    Fate fate = Round(where);
    ++rounds_;
    if (!fate.died_at.empty()) {
      ++kills_;
      NamesKilledAt().insert(fate.died_at);
    }
    return fate;
  }

  void AtPoints() {
    // What comes by varies a little with the timing.
    Counts counts;
    int64_t total = 0;
    for (int i = 0; i < 3; ++i) {
      for (const auto& point : OneRound("none").counts) {
        counts[point.first] = std::max(counts[point.first], point.second);
      }
      if (HasFailure()) return;
    }
    for (const auto& point : counts) total += point.second;
    std::printf("%lld points in one run\n", static_cast<long long>(total));
    std::fflush(stdout);
    for (const auto& point : counts) {
      for (int64_t k = 1; k <= kFirst && k <= point.second; ++k) {
        const int tries = k == 1 ? 10 : 1;
        for (int i = 0; i < tries; ++i) {
          if (!OneRound(absl::StrCat(point.first, " ", k)).died_at.empty()) {
            break;
          }
          if (HasFailure()) return;
        }
      }
    }
    if (NumberFrom("SHMRPC_TEST_EVERY_POINT", 0) != 0) {
      for (int64_t n = 1, alive = 0; alive < 3 && !HasFailure(); ++n) {
        alive =
            OneRound(absl::StrCat("any ", n)).died_at.empty() ? alive + 1 : 0;
        if (n % 500 == 0) {
          std::printf("ended at each of the first %lld\n",
                      static_cast<long long>(n));
          std::fflush(stdout);
        }
      }
    } else {
      for (int i = 0; i < kRandom && !HasFailure(); ++i) {
        OneRound(absl::StrCat("any ", 1 + random_() % total));
      }
    }
    std::printf("%d rounds, %d kills\n", rounds_, kills_);
    std::fflush(stdout);
  }

  const uint32_t seed_ = SeedOfThisRun();
  std::mt19937 random_{seed_};
  int rounds_ = 0;
  int kills_ = 0;
};

class ClientKilledAtStore : public StorePointKill {
 protected:
  Fate Round(const std::string& where) override {
    if (rounds_ % kRoundsPerProcess == 0) Renew();
    Watchdog dog(100, absl::StrCat("a client that dies at ", where));
    survivor_->Go(kSmall | kStreams, random_());
    const std::string deaf = "shm:" + UniqueName("deaf");
    auto lobby = link::Lobby::Create({AddressOf(deaf)}, {});
    EXPECT_TRUE(lobby.ok()) << lobby.status();
    Subprocess victim =
        SpawnRole("victim_client", {target_, where, deaf, object_name_});
    std::vector<std::string> lines;
    while (const auto line = victim.ReadLine()) lines.push_back(*line);
    victim.Wait();
    survivor_->AwaitHeld();
    const ClientReport report = survivor_->Collect("alive");
    EXPECT_EQ(report.wrong, "");
    if (lobby.ok()) lobby->reset();
    names_left_ += ExpectBackTo(before_, server_.get());
    return FateFrom(lines);
  }

  void Renew() {
    if (server_ != nullptr) End();
    server_ = std::make_unique<DeathServer>(target_);
    ASSERT_TRUE(server_->started());
    before_ = ServerFootprintOf(server_.get());
    survivor_ = std::make_unique<DeathClient>(target_, UniqueName("held"));
  }

  void End() {
    survivor_->ShutDown();
    server_->ShutDown();
    ExpectNoNames();
  }

  const std::string target_ = "shm:" + UniqueName("bereft");
  const std::string object_name_ = UniqueName("objects");
  std::unique_ptr<DeathServer> server_;
  std::unique_ptr<DeathClient> survivor_;
  ServerFootprint before_;
  int names_left_ = 0;
};

TEST_F(ClientKilledAtStore, ServerAndOtherClientsGoOn) {
  AtPoints();
  // The objects' own names are free again: this one lives.
  EXPECT_EQ(OneRound("none").died_at, "");
  End();
  if (HavePrivateShm()) {
    EXPECT_THAT(Leftovers(object_name_), ::testing::IsEmpty());
  }
  std::printf("%d names of dead clients removed by the next server\n",
              names_left_);
}

class ServerKilledAtStore : public StorePointKill {
 protected:
  Fate Round(const std::string& where) override {
    if (rounds_ % kRoundsPerProcess == 0) Renew();
    Watchdog dog(100, absl::StrCat("a server that dies at ", where));
    DeathServer victim(target_, "victim_server", {where});
    for (auto& client : clients_) client->Go(0, random_());
    for (auto& client : clients_) client->AwaitHeld();
    EXPECT_EQ(clients_[0]->RunScenario(), "");
    const bool alive = victim.started() && victim.Alive();
    if (alive) victim.Stop();
    victim.process().Wait();
    const std::vector<std::string> lines = victim.OtherLines();

    // The next one, under the same name.
    EchoServiceImpl echo;
    ScriptServiceImpl script;
    ServerBuilder builder;
    builder.AddListeningPort(target_, InsecureServerCredentials());
    builder.RegisterService(&echo).RegisterService(&script);
    builder.SetMaxReceiveMessageSize(-1);
    std::unique_ptr<Server> next = builder.BuildAndStart();
    EXPECT_NE(next, nullptr);
    for (auto& client : clients_) {
      EXPECT_EQ(client->Collect(alive ? "stopped" : "killed").wrong, "");
    }
    if (next != nullptr) next->Shutdown();
    next.reset();
    ExpectNoNames();
    return FateFrom(lines);
  }

  void Renew() {
    End();
    for (int i = 0; i < 2; ++i) {
      clients_.push_back(
          std::make_unique<DeathClient>(target_, UniqueName("held")));
    }
  }

  void End() {
    for (auto& client : clients_) client->ShutDown();
    clients_.clear();
  }

  const std::string target_ = "shm:" + UniqueName("victim");
  std::vector<std::unique_ptr<DeathClient>> clients_;
};

TEST_F(ServerKilledAtStore, ClientsAreToldAndTheNextServerServesThem) {
  AtPoints();
  End();
}

// After both, in this order.
TEST(StorePoints, ThoseKilledAtAreThoseInTheSources) {
  if (!platform::kHaveStorePoints) GTEST_SKIP() << "built without them";
  ASSERT_GT(StorePointNames().size(), 50u);
  std::set<std::string> missed(StorePointNames().begin(),
                               StorePointNames().end());
  for (const std::string& name : NamesKilledAt()) {
    EXPECT_EQ(missed.erase(name), 1u) << name << " is no name in the sources";
  }
  EXPECT_THAT(missed, ::testing::IsEmpty());
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
