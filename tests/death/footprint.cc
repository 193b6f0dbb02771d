#include "tests/death/footprint.h"

#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/echo_service.h"
#include "tests/trouble/support.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {
namespace {

// A server keeps the pidfds of the last 16 processes, and what it watches them
// with (transport/platform/death_watch_posix.cc).
constexpr int kKeptDescriptors = 18;

std::vector<std::string> Names() {
  // Without a /dev/shm of our own there are others' names as well.
  if (!HavePrivateShm()) return {};
  return Leftovers("shmrpc.");
}

// Looks again until `there` or a minute is over.
template <class There>
bool Await(const There& there) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!there()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Footprint& footprint) {
  return out << footprint.mapped_bytes << " bytes mapped, "
             << footprint.handlers << " handlers, " << footprint.descriptors
             << " descriptors, names " << absl::StrJoin(footprint.names, " ");
}

Footprint FootprintOf(DeathServer* server) {
  return {server->MappedBytes(), server->Running(),
          DescriptorsOf(server->pid()), Names()};
}

int ExpectBackTo(const Footprint& before, DeathServer* server) {
  Footprint now;
  EXPECT_TRUE(Await([&] {
    now = FootprintOf(server);
    return now.mapped_bytes <= before.mapped_bytes &&
           now.handlers <= before.handlers &&
           now.descriptors <= before.descriptors + kKeptDescriptors;
  })) << "now "
      << now << "; before " << before;
  // By number: a server's slots have another name each time.
  if (now.names.size() <= before.names.size()) return 0;
  const int left = static_cast<int>(now.names.size() - before.names.size());
  RemoveLeftNames();
  EXPECT_TRUE(Await([&] {
    now = FootprintOf(server);
    return now.names.size() <= before.names.size();
  })) << "now "
      << now << "; before " << before;
  return left;
}

void RemoveLeftNames() {
  EchoServiceImpl service;
  ServerBuilder builder;
  builder.AddListeningPort("shm:" + UniqueName("reclaimer"),
                           InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  server->Shutdown();
}

void ExpectNoNames() {
  std::vector<std::string> names;
  EXPECT_TRUE(Await([&] {
    names = Names();
    return names.empty();
  })) << ::testing::PrintToString(names);
}

}  // namespace testing
}  // namespace shmrpc
