// Clients or the server are killed at random moments under load; who survives
// goes on. Prints its seed; SHMRPC_TEST_SEED repeats one.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

// Set by BUILD: starting a process under Wine takes ten times as long.
constexpr int kRounds = SHMRPC_RANDOM_KILL_ROUNDS;
constexpr int kClients = 2;

// Calls without end from two threads, over one channel. "progress" is answered
// once both have seen 20 more calls succeed. Any failure but UNAVAILABLE ends
// it with what it was.
SHMRPC_TEST_ROLE(load) {
  EchoClient client(args.at(0));
  std::atomic<bool> stop{false};
  std::atomic<int> good[2] = {{0}, {0}};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      const EchoRequest request =
          i == 0 ? SmallRequest() : LargeRequest(50 * 1000);
      while (!stop.load()) {
        EchoReply reply;
        const Status status = client.Call(request, &reply);
        if (status.ok() && reply.payload() == request.payload() &&
            reply.text() == request.text()) {
          ++good[i];
        } else if (status.error_code() != StatusCode::UNAVAILABLE) {
          SendLine(absl::StrCat("wrong: ", status.error_code(), " ",
                                status.error_message()));
          std::_Exit(3);
        }
      }
    });
  }
  std::string line;
  SendLine("running");
  while (ReceiveLine(&line)) {
    for (std::atomic<int>& count : good) {
      const int before = count.load();
      while (count.load() < before + 20) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    SendLine("progress");
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  return 0;
}

uint32_t Seed() {
  const char* given = std::getenv("SHMRPC_TEST_SEED");
  return given != nullptr
             ? static_cast<uint32_t>(std::strtoul(given, nullptr, 0))
             : std::random_device()();
}

TEST(RandomKill, SurvivorsGoOn) {
  const uint32_t seed = Seed();
  std::printf("seed %u (repeat with SHMRPC_TEST_SEED)\n", seed);
  std::fflush(stdout);
  std::mt19937 random(seed);
  const std::string name = UniqueName("random");
  auto server = std::make_unique<EchoServer>(name);
  ASSERT_TRUE(server->started()) << server->error();
  std::vector<Subprocess> clients;
  const auto add_client = [&] {
    clients.push_back(SpawnRole("load", {name}));
    EXPECT_EQ(clients.back().ReadLine(), "running");
  };
  for (int i = 0; i < kClients; ++i) add_client();

  for (int round = 0; round < kRounds; ++round) {
    // The random moment.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 15000));
    const uint32_t victim = random() % (kClients + 1);
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", round ", round, ", victim ",
                              victim == kClients ? "server" : "client"));
    if (victim == kClients) {
      server->Kill();
      server = std::make_unique<EchoServer>(name);
      ASSERT_TRUE(server->started()) << server->error();
    } else {
      clients[victim].Kill();
      clients[victim].Wait();
      clients.erase(clients.begin() + victim);
    }
    for (Subprocess& client : clients) client.WriteLine("progress");
    for (Subprocess& client : clients) {
      ASSERT_EQ(client.ReadLine(), "progress");
    }
    if (victim != kClients) add_client();
  }
  for (Subprocess& client : clients) {
    client.CloseStdin();
    EXPECT_TRUE(client.Wait().ok());
  }
  server->ShutDown();
  ExpectNextServerReclaims();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
