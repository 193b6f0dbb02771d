// Somebody else's object under a server's name.

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/trouble/fake_peer.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kOtherUser = 65534;  // nobody

std::string PathOf(const std::string& name) {
  return "/dev/shm/shmrpc.srv." + name;
}

void ExpectServerSays(const std::string& name,
                      const std::vector<std::string>& parts) {
  EchoServer server(name);
  EXPECT_FALSE(server.started());
  EXPECT_THAT(server.error(), HasSubstr("server not started"));
  EXPECT_THAT(server.error(), HasSubstr("shm:" + name));
  for (const std::string& part : parts) {
    EXPECT_THAT(server.error(), HasSubstr(part));
  }
}

// Holds the name as another user. Argument: target.
SHMRPC_TEST_ROLE(other_user_lobby) {
  if (setgid(kOtherUser) != 0 || setuid(kOtherUser) != 0) {
    SendLine("forbidden");
    return 0;
  }
  const auto lobby = MakeFakeLobby(args.at(0), [](memory::LobbyIdentity*) {});
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Calls as another user. Argument: name.
SHMRPC_TEST_ROLE(other_user_client) {
  if (setgid(kOtherUser) != 0 || setuid(kOtherUser) != 0) {
    SendLine("forbidden");
    return 0;
  }
  const Status status = EchoClient(args.at(0)).Call(SmallRequest());
  SendLine(absl::StrCat(status.error_code(), " ", status.error_message()));
  return 0;
}

TEST(Squatted, ByAnotherUserClientRefusesAndServerSaysTaken) {
  const std::string name = UniqueName("squat");
  Subprocess squatter = SpawnRole("other_user_lobby", {"shm:" + name});
  const std::string line = squatter.ReadLine().value_or("(nothing)");
  if (line == "forbidden") {
    GTEST_SKIP() << "this process cannot become another user; run it as root";
  }
  ASSERT_EQ(line, "ready");
  ExpectUnavailable(
      EchoClient(name).Call(SmallRequest()),
      {"PERMISSION_DENIED", "shmrpc.srv." + name,
       absl::StrCat("belongs to user ", kOtherUser), "somebody else took"});
  ExpectServerSays(name, {"already in use"});
  squatter.CloseStdin();
  EXPECT_TRUE(squatter.Wait().ok());
  EchoServer server(name);
  EXPECT_TRUE(server.started()) << server.error();
  server.ShutDown();
}

TEST(Squatted, ServerOfOtherUserClientIsToldSo) {
  EchoServer server(UniqueName("private"));
  Subprocess client = SpawnRole("other_user_client", {server.name()});
  const std::string line = client.ReadLine().value_or("(nothing)");
  if (line == "forbidden") {
    GTEST_SKIP() << "this process cannot become another user; run it as root";
  }
  EXPECT_THAT(line, ::testing::StartsWith("14 "));
  EXPECT_THAT(line, HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(line, HasSubstr("shmrpc.srv." + server.name()));
  EXPECT_TRUE(client.Wait().ok());
  server.ShutDown();
}

TEST(Squatted, ByAFileOfAnotherProgramBothSaySo) {
  const std::string name = UniqueName("squat");
  const int fd = open(PathOf(name).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "hello", 5), 5);
  ExpectUnavailable(EchoClient(name).Call(SmallRequest()), {"shm:" + name});
  ExpectServerSays(name, {PathOf(name), "did not make", "remove it"});
  // It was not touched.
  struct stat stat_buffer;
  ASSERT_EQ(stat(PathOf(name).c_str(), &stat_buffer), 0);
  EXPECT_EQ(stat_buffer.st_size, 5);
  close(fd);
  unlink(PathOf(name).c_str());
}

TEST(Squatted, ByADirectoryLinkOrPipeBothSaySo) {
  const std::string name = UniqueName("squat");
  const std::string path = PathOf(name);
  for (const char* kind : {"directory", "link", "pipe"}) {
    SCOPED_TRACE(kind);
    if (*kind == 'd') ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    if (*kind == 'l') ASSERT_EQ(symlink("/etc/hostname", path.c_str()), 0);
    if (*kind == 'p') ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    Watchdog dog(30, "an object that is no file");
    ExpectUnavailable(EchoClient(name).Call(SmallRequest()),
                      {"shm:" + name, "no server is listening"});
    ExpectServerSays(name, {path, "not a regular file"});
    EXPECT_EQ(remove(path.c_str()), 0);
  }
}

// One that nobody makes good, as a server would (fault_linux_test.cc).
TEST(Squatted, ByAnIdentityThatWasCutShortClientSaysSo) {
  for (const int size_bytes : {8, 100}) {
    const std::string name = UniqueName("cut");
    const auto lobby =
        MakeFakeLobby("shm:" + name, [](memory::LobbyIdentity*) {});
    ASSERT_EQ(truncate(PathOf(name).c_str(), size_bytes), 0);
    ExpectUnavailable(
        EchoClient(name).Call(SmallRequest()),
        {"shm:" + name, absl::StrCat("has only ", size_bytes, " bytes")});
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
