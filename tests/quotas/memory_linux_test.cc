// What a greedy client makes a server's process hold, as /proc tells.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/quotas/neighbour.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/server_process.h"
#include "tests/trouble/proc_linux.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kQuotaBytes = 32 * kMiB;
constexpr int kCalls = 40;
constexpr int64_t kCallBytes = 4 * kMiB;

// Bytes under `key` in /proc/PID/status.
int64_t StatusOf(uint32_t pid, const std::string& key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, key + ":")) continue;
    return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

// Makes calls that the server cannot end, with large requests, from as many
// threads; says how many of them it was refused.
SHMRPC_TEST_ROLE(greedy) {
  auto stub = Scripted::NewStub(NewChannel(args.at(0)));
  std::mutex mutex;
  const auto say = [&](const std::string& line) {
    const std::lock_guard<std::mutex> lock(mutex);
    SendLine(line);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kCalls; ++i) {
    threads.emplace_back([&] {
      HandlerScript script;
      script.InitialMetadata("x-held", "1").SendInitialMetadata();
      script.UntilCancelled();
      ClientContext context;
      script.AddTo(&context);
      auto stream = stub->ServerStream(&context, ItemOf(kCallBytes));
      stream->WaitForInitialMetadata();
      if (context.GetServerInitialMetadata().count("x-held") == 1) {
        say("held");
      }
      const Status status = stream->Finish();
      say(status.error_code() == RESOURCE_EXHAUSTED
              ? "refused"
              : "ended: " + status.error_message());
    });
  }
  for (std::thread& t : threads) t.join();
  return 0;
}

TEST(GreedyClient, ServersMemoryStaysWithinTheQuotaAndComesBack) {
  const Watchdog dog(100, "a test of memory");
  ServerSettings settings;
  settings.quota.max_memory_bytes = kQuotaBytes;
  ServerProcess server(settings);
  Neighbour neighbour(server.target());
  const int64_t rss_before = StatusOf(server.pid(), "VmRSS");
  const int mappings_before = HoldingsOf(server.pid()).shm_mappings;
  Subprocess greedy = SpawnRole("greedy", {server.target()});
  int held = 0;
  int refused = 0;
  while (held + refused < kCalls) {
    const auto line = greedy.ReadLine();
    ASSERT_TRUE(line == "held" || line == "refused") << line.value_or("");
    ++(line == "held" ? held : refused);
  }
  const int64_t rss = StatusOf(server.pid(), "VmRSS") - rss_before;
  std::cout << held << " calls held, " << refused << " refused, the server has "
            << rss / 1024 << " KiB more than before\n";
  EXPECT_GT(held, 0);
  EXPECT_GT(refused, 0);
  // Beside what is charged: threads, and what the parser takes.
  EXPECT_LE(rss, kQuotaBytes + 16 * kMiB);
  EXPECT_TRUE(neighbour.Works());
  greedy.Kill();
  greedy.Wait();
  EXPECT_TRUE(Eventually([&] {
    return HoldingsOf(server.pid()).shm_mappings <= mappings_before;
  })) << HoldingsOf(server.pid());
  EXPECT_TRUE(neighbour.Works());
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
