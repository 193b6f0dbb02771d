// A /dev/shm that is small or full, as in a container: an error that says what
// to do, where memory is needed; everything else goes on.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "tests/support/stop_linux.h"
#include "tests/trouble/break_connection.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr int kSizeMiB = 8;

// The private /dev/shm, small for one test.
class FullShm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HavePrivateShm()) {
      GTEST_SKIP() << "no /dev/shm of this test's own may be mounted here; run "
                      "this test as root to have it";
    }
    Resize(absl::StrCat(kSizeMiB, "m"));
  }
  void TearDown() override {
    if (!HavePrivateShm()) return;
    Drain();
    Resize("512m");
  }

  static void Resize(const std::string& size) {
    ASSERT_EQ(
        mount("tmpfs", "/dev/shm", "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV,
              ("size=" + size + ",mode=1777").c_str()),
        0)
        << strerror(errno);
  }
  // Leaves `free_bytes`.
  static void Fill(int64_t free_bytes) {
    struct statvfs fs;
    ASSERT_EQ(statvfs("/dev/shm", &fs), 0);
    const int64_t available = static_cast<int64_t>(fs.f_bavail * fs.f_frsize);
    const int fd = open("/dev/shm/filler", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(posix_fallocate(fd, 0, available - free_bytes), 0);
    close(fd);
  }
  static void Drain() { unlink("/dev/shm/filler"); }
};

const std::vector<std::string>& WhatToDo() {
  static const auto* parts = new std::vector<std::string>{
      "No space left on device", "ENOSPC",     "/dev/shm is full",
      "bytes are free",          "enlarge it", "--shm-size"};
  return *parts;
}

TEST_F(FullShm, ServerDoesNotStartAndSaysWhatToDo) {
  Fill(0);
  EchoServer server(UniqueName("full"));
  EXPECT_FALSE(server.started());
  for (const std::string& part : WhatToDo()) {
    EXPECT_THAT(server.error(), HasSubstr(part));
  }
}

TEST_F(FullShm, ConnectFailsSaysWhatToDoAndWorksOnceThereIsRoom) {
  EchoServer server(UniqueName("full"));
  ASSERT_TRUE(server.started()) << server.error();
  EchoClient established(server.name());
  established.ExpectWorks();
  Fill(64 * 1024);  // a connection needs twice that
  EchoClient late(server.name());
  const Status status = late.Call(SmallRequest());
  ExpectStatus(status, StatusCode::RESOURCE_EXHAUSTED, WhatToDo());
  ExpectStatus(status, StatusCode::RESOURCE_EXHAUSTED, {"shmrpc.conn."});
  established.ExpectWorks();
  Drain();
  late.ExpectWorks();
  server.ShutDown();
}

TEST_F(FullShm, LargeRequestIsResourceExhaustedSmallOnesGoOn) {
  EchoServer server(UniqueName("full"));
  EchoClient client(server.name());
  client.ExpectWorks();
  const Status status = client.Call(LargeRequest(2 * kSizeMiB << 20));
  ExpectStatus(status, StatusCode::RESOURCE_EXHAUSTED, WhatToDo());
  ExpectStatus(status, StatusCode::RESOURCE_EXHAUSTED,
               {"create mapping \"shmrpc.conn."});
  client.ExpectWorks();
  EXPECT_TRUE(client.Call(LargeRequest(64 * 1024)).ok());
  server.ShutDown();
}

TEST_F(FullShm, LargeReplyIsResourceExhaustedSmallOnesGoOn) {
  EchoServer server(UniqueName("full"));
  EchoClient client(server.name());
  client.ExpectWorks();
  EchoRequest request;
  request.set_reply_size_bytes(2 * kSizeMiB << 20);
  for (int i = 0; i < 3; ++i) {
    const Status status = client.Call(request);
    ExpectStatus(status, StatusCode::RESOURCE_EXHAUSTED, WhatToDo());
    client.ExpectWorks();
  }
  EXPECT_TRUE(client.Call(LargeRequest(64 * 1024)).ok());
  server.ShutDown();
}

TEST_F(FullShm, NoRoomAtAllSmallCallsGoOnAndLargeOnesComeBackWithRoom) {
  EchoServer server(UniqueName("full"));
  EchoClient client(server.name());
  client.ExpectWorks();
  Fill(0);
  for (int i = 0; i < 200; ++i) client.ExpectWorks();
  ExpectStatus(client.Call(LargeRequest(100 * 1000)),
               StatusCode::RESOURCE_EXHAUSTED, WhatToDo());
  client.ExpectWorks();
  Drain();
  EchoReply reply;
  EXPECT_TRUE(client.Call(LargeRequest(100 * 1000), &reply).ok());
  EXPECT_EQ(reply.payload().size(), 100u * 1000);
  server.ShutDown();
}

TEST_F(FullShm, LargeMessageOfAStreamEndsItAndTheConnectionGoesOn) {
  ScriptedServer server;
  Watchdog dog(60, "streams in a full /dev/shm");
  const size_t large = 2 * kSizeMiB << 20;
  for (int i = 0; i < 2; ++i) {
    // The client's.
    HandlerScript reads;
    reads.ReadAll();
    ClientContext write_context;
    reads.AddTo(&write_context);
    Item response;
    auto writer = server.stub->ClientStream(&write_context, &response);
    EXPECT_TRUE(writer->Write(ItemOf(100)));
    EXPECT_FALSE(writer->Write(ItemOf(large)));
    ExpectStatus(writer->Finish(), StatusCode::RESOURCE_EXHAUSTED, WhatToDo());
    // The server's.
    HandlerScript writes;
    writes.Write(100).Write(static_cast<int64_t>(large));
    ClientContext read_context;
    writes.AddTo(&read_context);
    auto reader = server.stub->ServerStream(&read_context, Item());
    Item item;
    EXPECT_TRUE(reader->Read(&item));
    EXPECT_FALSE(reader->Read(&item));
    ExpectStatus(reader->Finish(), StatusCode::RESOURCE_EXHAUSTED, WhatToDo());
    // The same connection, which a large but possible one shows to be whole.
    HandlerScript echo;
    echo.Echo();
    ClientContext context;
    echo.AddTo(&context);
    const CallResult result = MakeCall(server.stub.get(), CallKind::kBidi,
                                       &context, ItemOf(100 * 1000));
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.messages.size(), 1u);
  }
}

// Truncated when there is no memory to make it good with: later, then.
TEST_F(FullShm, TruncatedLobbyIsMadeGoodOnceThereIsRoom) {
  EchoServer server(UniqueName("full"));
  ASSERT_TRUE(server.started()) << server.error();
  EchoClient established(server.name());
  established.ExpectWorks();
  Watchdog dog(60, "a lobby truncated in a full /dev/shm");
  // It must not have the page back before it is gone.
  ASSERT_TRUE(StopProcess(server.pid()));
  ASSERT_EQ(Break(Memory::kSlots, server.target(), server.pid(), 0), 1);
  ASSERT_EQ(Break(Memory::kIdentity, server.target(), server.pid(), 0), 1);
  Fill(0);
  ASSERT_EQ(kill(static_cast<pid_t>(server.pid()), SIGCONT), 0);
  EXPECT_THAT(server.AwaitLog("cannot be made good now"),
              HasSubstr("No space left on device"));
  Drain();
  Status status;
  do {
    status = EchoClient(server.name()).Call(SmallRequest());
    if (!status.ok()) ExpectUnavailable(status, {"try again"});
  } while (!status.ok());
  established.ExpectWorks();
  server.ShutDown();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
