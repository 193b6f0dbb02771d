#include "tests/death/server_footprint.h"

#include <memory>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/echo_service.h"
#include "tests/support/eventually.h"
#include "tests/trouble/support.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {
namespace {

// Set by BUILD. A server keeps the pidfds of the last 16 processes, and what it
// watches them with (transport/platform/death_watch_posix.cc); on Windows
// several handles of each thread that rests.
constexpr int kKeptHandles = SHMRPC_DEATH_KEPT_HANDLES;

std::vector<std::string> Names() {
  // Without a /dev/shm of our own there are others' names as well.
  if (!HavePrivateShm()) return {};
  return Leftovers("shmrpc.");
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ServerFootprint& footprint) {
  return out << footprint.process << ", " << footprint.handlers
             << " handlers, names " << absl::StrJoin(footprint.names, " ");
}

ServerFootprint ServerFootprintOf(DeathServer* server) {
  return {server->Look(), server->Running(), Names()};
}

int ExpectBackTo(const ServerFootprint& before, DeathServer* server) {
  ServerFootprint now;
  Footprint allowed = before.process;
  allowed.handles += kKeptHandles;
  EXPECT_TRUE(Eventually([&] {
    now = ServerFootprintOf(server);
    // Names that are left have memory: those are counted below.
    allowed.shm_bytes = now.process.shm_bytes;
    return now.process.IsWithin(allowed) && now.handlers <= before.handlers;
  })) << "now "
      << now << "; before " << before;
  // By number: a server's slots have another name each time.
  if (now.names.size() <= before.names.size()) return 0;
  const int left = static_cast<int>(now.names.size() - before.names.size());
  RemoveLeftNames();
  EXPECT_TRUE(Eventually([&] {
    now = ServerFootprintOf(server);
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
  EXPECT_TRUE(Eventually([&] {
    names = Names();
    return names.empty();
  })) << ::testing::PrintToString(names);
}

}  // namespace testing
}  // namespace shmrpc
