// A /dev/shm that is small or full, as in a container: an error that says what
// to do, where memory is needed; everything else goes on.

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
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

}  // namespace
}  // namespace testing
}  // namespace shmrpc
