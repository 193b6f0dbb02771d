// Random calls from many threads over a few channels: sizes, deadlines, errors
// and slow handlers mixed. Every call must end as its own request allows, with
// its own bytes. SHMRPC_TEST_SEED repeats a run's choices.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::microseconds;

constexpr int kThreads = 16;
constexpr int kChannels = 3;
constexpr int kCallsPerThread = 500;

uint64_t Seed() {
  const char* given = std::getenv("SHMRPC_TEST_SEED");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  return std::random_device()();
}

struct Tally {
  std::atomic<int> ok{0};
  std::atomic<int> expired{0};
  std::atomic<int> failed{0};
};

void RandomCall(EchoService::Stub* stub, std::mt19937_64* random,
                Tally* tally) {
  const auto upto = [random](uint64_t n) { return (*random)() % n; };
  EchoRequest request;
  request.set_payload(
      Pattern(upto(uint64_t{1} << upto(19)), (*random)()));  // 0 to 256 KiB
  if (upto(3) == 0) {
    request.set_reply_size_bytes(1 + upto(uint64_t{1} << upto(19)));
  }
  if (upto(10) == 0) request.set_sleep_ms(upto(3));
  if (upto(10) == 0) {
    request.set_status_code(1 + static_cast<int>(upto(100)));
    request.set_status_message(upto(2) == 0 ? "" : "asked for");
  }
  request.set_stop_when_cancelled(upto(2) == 0);
  ClientContext context;
  const bool has_deadline = upto(2) == 0;
  if (has_deadline) {
    // Some already past, most about as long as a call takes.
    context.set_deadline(
        FromNow(microseconds(static_cast<int64_t>(upto(4000)) - 200)));
  }
  EchoReply reply;
  reply.set_text("untouched");
  const Status status = stub->Echo(&context, request, &reply);

  if (has_deadline && status.error_code() == DEADLINE_EXCEEDED &&
      status.error_message() == "Deadline Exceeded") {
    EXPECT_EQ(reply.text(), "untouched");
    ++tally->expired;
    return;
  }
  if (request.status_code() != 0) {
    EXPECT_TRUE(Is(status, request.status_code(), request.status_message()));
    EXPECT_EQ(reply.text(), "untouched");
    ++tally->failed;
    return;
  }
  EXPECT_TRUE(IsOk(status));
  EXPECT_EQ(reply.text(), "");
  const size_t size = request.reply_size_bytes() == 0
                          ? request.payload().size()
                          : static_cast<size_t>(request.reply_size_bytes());
  EXPECT_TRUE(reply.payload() == Repeated(request.payload(), size));
  ++tally->ok;
}

TEST(Stress, EveryCallIsAccountedFor) {
  const uint64_t seed = Seed();
  std::cout << "SHMRPC_TEST_SEED=" << seed << std::endl;
  SCOPED_TRACE("SHMRPC_TEST_SEED=" + std::to_string(seed));
  ServerProcess server;
  std::vector<std::shared_ptr<Channel>> channels;
  for (int c = 0; c < kChannels; ++c) {
    channels.push_back(NewChannel(server.target()));
  }
  Tally tally;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      auto stub = EchoService::NewStub(channels[t % kChannels]);
      for (int i = 0; i < kCallsPerThread; ++i) {
        RandomCall(stub.get(), &random, &tally);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(tally.ok + tally.expired + tally.failed,
            kThreads * kCallsPerThread);
  std::cout << tally.ok << " ok, " << tally.expired << " expired, "
            << tally.failed << " failed as asked, " << (MappedBytes() >> 20)
            << " MiB mapped" << std::endl;
  EXPECT_GT(tally.ok, 0);
  EXPECT_GT(tally.expired, 0);
  EXPECT_GT(tally.failed, 0);
  for (const auto& channel : channels) {
    auto stub = EchoService::NewStub(channel);
    EXPECT_TRUE(EchoesBack(stub.get(), Pattern(100000, seed)));
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
