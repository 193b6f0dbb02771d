// What a greedy client makes a server's process hold, as /proc tells.

#include <cstdint>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "tests/quotas/neighbour.h"
#include "tests/support/client.h"
#include "tests/support/eventually.h"
#include "tests/support/footprint.h"
#include "tests/support/proc_linux.h"
#include "tests/support/script.h"
#include "tests/support/server_process.h"
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

int64_t ResidentBytes(uint32_t pid) {
  int64_t kib = 0;
  EXPECT_TRUE(absl::SimpleAtoi(ProcStatus(pid, "VmRSS"), &kib));
  return kib * 1024;
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
  const int64_t rss_before = ResidentBytes(server.pid());
  const int64_t mappings_before = FootprintOf(server.pid()).mappings;
  Subprocess greedy = SpawnRole("greedy", {server.target()});
  int held = 0;
  int refused = 0;
  while (held + refused < kCalls) {
    const auto line = greedy.ReadLine();
    ASSERT_TRUE(line == "held" || line == "refused") << line.value_or("");
    ++(line == "held" ? held : refused);
  }
  const int64_t rss = ResidentBytes(server.pid()) - rss_before;
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
    return FootprintOf(server.pid()).mappings <= mappings_before;
  })) << FootprintOf(server.pid());
  EXPECT_TRUE(neighbour.Works());
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
