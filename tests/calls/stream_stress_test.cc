// Random calls of every kind, from many threads of several processes: sizes,
// cancels, deadlines, early returns, streams that are dropped. Every call has
// an outcome that its script allows, and every handler an end.
// SHMRPC_TEST_SEED repeats a run's choices.

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/random_call.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

// Set by BUILD: calls under Wine take ten times as long.
constexpr int kCallsPerThread = SHMRPC_STRESS_CALLS;
constexpr int kProcesses = 2;  // beside this one
constexpr int kThreads = 8;    // of each

uint64_t Seed() {
  const char* given = std::getenv("SHMRPC_TEST_SEED");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  return std::random_device()();
}

struct Tally {
  std::atomic<int> of[kEndings] = {};

  int total() const {
    int sum = 0;
    for (const std::atomic<int>& count : of) sum += count;
    return sum;
  }
  int operator[](Ending ending) const { return of[static_cast<int>(ending)]; }
};

// All calls of a process, over one channel. Their scripts share a name, so that
// the server's counts are those of this process.
void CallAtRandom(const std::string& target, uint64_t seed,
                  const std::string& name, Tally* tally) {
  const auto channel = NewChannel(target);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + static_cast<uint64_t>(t));
      auto stub = Scripted::NewStub(channel);
      for (int i = 0; i < kCallsPerThread; ++i) {
        RandomCall call(CallMix(), name, &random);
        ClientContext context;
        const Ending ending = call.Run(stub.get(), &context);
        ++tally->of[static_cast<int>(ending)];
        // The server lives.
        if (ending == Ending::kWrong || ending == Ending::kUnavailable) {
          ADD_FAILURE() << call.Describe();
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  // Nothing of it hangs on to the connection.
  auto stub = Scripted::NewStub(channel);
  for (const CallKind kind : kCallKinds) {
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    EXPECT_TRUE(
        IsOk(MakeCall(stub.get(), kind, &context, ItemOf(300000)).status));
  }
}

constexpr Ending kRightEndings[] = {Ending::kOk, Ending::kFailed,
                                    Ending::kCancelled, Ending::kExpired,
                                    Ending::kDropped};

std::string Summary(const Tally& tally) {
  std::string text;
  for (const Ending ending : kRightEndings) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", tally[ending], " ",
                    EndingName(ending));
  }
  return text;
}

// Arguments: target, seed, name. Writes its summary and waits for the end of
// stdin, so that the server is not told of its calls by its death.
SHMRPC_TEST_ROLE(random_caller) {
  uint64_t seed = 0;
  if (!absl::SimpleAtoi(args.at(1), &seed)) return 2;
  Tally tally;
  CallAtRandom(args.at(0), seed, args.at(2), &tally);
  SendLine(Summary(tally));
  std::string line;
  while (ReceiveLine(&line)) {
  }
  const bool good = tally.total() == kThreads * kCallsPerThread;
  return good && !::testing::Test::HasFailure() ? 0 : 1;
}

TEST(StreamStress, EveryCallAndEveryHandlerIsAccountedFor) {
  const uint64_t seed = Seed();
  std::cout << "SHMRPC_TEST_SEED=" << seed << std::endl;
  SCOPED_TRACE(absl::StrCat("SHMRPC_TEST_SEED=", seed));
  ScriptedServer server;
  std::vector<Subprocess> clients;
  for (int p = 1; p <= kProcesses; ++p) {
    clients.push_back(SpawnRole(
        "random_caller", {server.process.target(),
                          absl::StrCat(seed + static_cast<uint64_t>(p) * 1000),
                          absl::StrCat("process ", p)}));
  }
  Tally tally;
  CallAtRandom(server.process.target(), seed, "process 0", &tally);
  std::cout << Summary(tally) << ", " << (MappedBytes() >> 20) << " MiB mapped"
            << std::endl;
  EXPECT_EQ(tally.total(), kThreads * kCallsPerThread);
  for (const Ending ending : kRightEndings) {
    EXPECT_GT(tally[ending], 0) << EndingName(ending);
  }
  for (Subprocess& client : clients) {
    std::cout << client.ReadLine(100).value_or("(no summary)") << std::endl;
  }
  // Every handler that began ends, although the clients all live.
  for (int p = 0; p <= kProcesses; ++p) {
    const HandlerScript name(absl::StrCat("process ", p));
    int64_t started = name.AwaitStart(server.observer.get(), 0).started();
    EXPECT_GT(started, 0);
    const HandlerReport report = name.AwaitEnd(server.observer.get(), started);
    EXPECT_EQ(report.started(), report.ended());
    std::cout << "process " << p << ": " << report.ended() << " handlers, "
              << report.cancelled() << " cancelled" << std::endl;
    // A call that was answered had a handler.
    if (p == 0) {
      EXPECT_GE(report.ended(), tally[Ending::kOk] + tally[Ending::kFailed]);
      EXPECT_LE(report.ended(), kThreads * kCallsPerThread);
    }
  }
  for (Subprocess& client : clients) {
    client.CloseStdin();
    EXPECT_TRUE(client.Wait().ok());
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
