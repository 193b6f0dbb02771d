// Other objects truncated by another process of the same user (Linux).

#include <unistd.h>

#include <string>
#include <vector>

#include "tests/trouble/proc_linux.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

// Larger than any connection object: an arena segment.
constexpr int64_t kSegmentBytes = 256 * 1024;

TEST(SegmentGone, OfTheClientNextCallsWorkAgain) {
  EchoServer server(UniqueName("segment"));
  EchoClient client(server.name());
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  // The names are gone; this process's own descriptors are left.
  ASSERT_GE(TruncateObjects(static_cast<uint32_t>(getpid()), "/dev/shm/",
                            kSegmentBytes),
            1);
  Watchdog dog(40, "calls after a segment was truncated");
  // Such a request never leaves, so it is sent again on a new connection.
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  client.ExpectWorks();
  EXPECT_TRUE(client.Call(LargeRequest(1 << 20)).ok());
  server.ShutDown();
}

TEST(SegmentGone, OfTheServerNextCallsWorkAgain) {
  EchoServer server(UniqueName("segment"));
  EchoClient client(server.name());
  EchoRequest request;
  request.set_reply_size_bytes(1 << 20);
  EXPECT_TRUE(client.Call(request).ok());
  ASSERT_EQ(TruncateObjects(server.pid(), "/dev/shm/", kSegmentBytes), 1);
  Watchdog dog(40, "calls after a segment was truncated");
  ExpectUnavailable(client.Call(request), {});
  client.ExpectWorks();
  EXPECT_TRUE(client.Call(request).ok());
  server.ShutDown();
}

TEST(SlotsGone, NewClientsAreToldSo) {
  EchoServer server(UniqueName("slots"));
  ASSERT_EQ(TruncateObjects(server.pid(), "/dev/shm/", 4096), 2)
      << "identity and slots";
  Watchdog dog(40, "a connect to a server without slots");
  ExpectUnavailable(EchoClient(server.name()).Call(SmallRequest()),
                    {server.target()});
  server.ShutDown();
}

// They hold the word that wakes the server. It cannot be made up for, but
// nobody is left waiting for ever.
TEST(SlotsGone, CallOnAnEstablishedConnectionDoesNotHang) {
  if (!HavePrivateShm()) GTEST_SKIP() << "others' slots are in /dev/shm, too";
  EchoServer server(UniqueName("slots"));
  EchoClient client(server.name());
  client.ExpectWorks();
  const std::vector<std::string> slots = Leftovers("shmrpc.slots.");
  ASSERT_EQ(slots.size(), 1u);
  ASSERT_EQ(truncate(("/dev/shm/" + slots[0]).c_str(), 0), 0);
  Watchdog dog(40, "calls when the word that wakes the server is gone");
  // A server that was awake notices and goes on; one asleep cannot be woken.
  for (int i = 0; i < 5; ++i) {
    const Status status = client.Call(SmallRequest());
    if (status.ok()) continue;
    ExpectUnavailable(status, {});
    EXPECT_THAT(status.error_message(),
                ::testing::AnyOf(::testing::HasSubstr("restart the server"),
                                 ::testing::HasSubstr("accept slots")));
  }
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
