// What only Linux has: modes, other users, truncation by others, paths, forks.

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shared_memory.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::MakeFault;
using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::RoleArgs;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::TestName;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uid_t kNobody = 65534;

struct stat StatOf(const TestName& name) {
  struct stat stat = {};
  EXPECT_EQ(::stat(absl::StrCat("/dev/shm/", name.plain()).c_str(), &stat), 0);
  return stat;
}

AccessControl Mode(uint32_t mode) {
  AccessControl access;
  access.mode = mode;
  access.group_id = getegid();
  return access;
}

TEST(AccessControl, ModeIsTheUsersAloneUnlessAsked) {
  const TestName name("mode");
  const TestName event_name("eventmode");
  {
    auto memory = SharedMemory::Create(name, 4096);
    auto event = NamedEvent::Create(event_name);
    EXPECT_EQ(StatOf(name).st_mode & 0777, 0600u);
    EXPECT_EQ(StatOf(name).st_uid, geteuid());
    EXPECT_EQ(StatOf(event_name).st_mode & 0777, 0600u);
  }
  auto memory = SharedMemory::Create(name, 4096, Mode(0640));
  auto event = NamedEvent::Create(event_name, Mode(0660));
  ASSERT_TRUE(memory.ok()) << memory.status();
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(StatOf(name).st_mode & 0777, 0640u);
  EXPECT_EQ(StatOf(event_name).st_mode & 0777, 0660u);
}

// Becomes nobody, then does args[0] with the name args[1], says how it went,
// and stays until told to leave.
SHMRPC_TEST_ROLE(nobody) {
  if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 ||
      setuid(kNobody) != 0) {
    return 1;
  }
  SharedMemory memory;
  absl::Status status;
  if (args.at(0) == "create" || args.at(0) == "create public") {
    auto created = SharedMemory::Create(
        args.at(1), 4096,
        args.at(0) == "create" ? AccessControl() : Mode(0666));
    status = created.status();
    if (created.ok()) memory = *std::move(created);
  } else if (args.at(0) == "open event") {
    status = NamedEvent::Open(args.at(1)).status();
  } else {
    OpenOptions options;
    if (args.at(0) == "read") options.access = MemoryAccess::kReadOnly;
    auto opened = SharedMemory::Open(args.at(1), options);
    status = opened.status();
    if (opened.ok()) {
      SendLine(absl::StrCat("sees ", opened->Map()->Read<int>(0).value()));
      return 0;
    }
  }
  SendLine(status.ok() ? "OK" : status.ToString());
  std::string line;
  ReceiveLine(&line);
  return 0;
}

std::string AsNobody(const std::string& what, const TestName& name) {
  Subprocess child = SpawnRole("nobody", {what, name.plain()});
  return child.ReadLine().value_or("(ended)");
}

class OtherUser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  }
};

TEST_F(OtherUser, IsRefusedByDefault) {
  const TestName name("private");
  const TestName event_name("privateevent");
  auto memory = SharedMemory::Create(name, 4096);
  auto event = NamedEvent::Create(event_name);
  ASSERT_TRUE(memory.ok() && event.ok());
  for (const char* what : {"read", "write"}) {
    EXPECT_THAT(AsNobody(what, name),
                AllOf(StartsWith(absl::StrCat(
                          "PERMISSION_DENIED: open shared memory \"",
                          name.local(), "\": Permission denied (EACCES 13)")),
                      HasSubstr("AccessControl")));
  }
  EXPECT_THAT(AsNobody("open event", event_name),
              StartsWith("PERMISSION_DENIED: open event \"Local\\"));
  EXPECT_THAT(AsNobody("create", name), StartsWith("PERMISSION_DENIED"));
}

TEST_F(OtherUser, ReadsButDoesNotWriteWhereTheModeSaysSo) {
  const TestName name("readable");
  auto memory = SharedMemory::Create(name, 4096, Mode(0644));
  ASSERT_TRUE(memory.ok()) << memory.status();
  ASSERT_TRUE(memory->Map()->Write(0, 321).ok());
  EXPECT_EQ(AsNobody("read", name), "sees 321");
  EXPECT_THAT(AsNobody("write", name), StartsWith("PERMISSION_DENIED"));
  // The one who could not unlink it has left it whole.
  EXPECT_TRUE(SharedMemory::Open(name).ok());
}

TEST_F(OtherUser, TakingAFreeNameIsNoticed) {
  const TestName name("squatted");
  Subprocess nobody = SpawnRole("nobody", {"create public", name.plain()});
  ASSERT_EQ(nobody.ReadLine(), "OK");
  const auto refused = SharedMemory::Open(name);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused.status().message()),
              AllOf(HasSubstr("it belongs to user 65534"),
                    HasSubstr("require_same_owner")));
  EXPECT_FALSE(SharedMemory::CreateOrOpen(name, 4096).ok());
  OpenOptions options;
  options.require_same_owner = false;
  EXPECT_TRUE(SharedMemory::Open(name, options).ok());
  nobody.WriteLine("leave");
  EXPECT_TRUE(nobody.Wait().ok());
  EXPECT_THAT(Leftovers(name.plain()), IsEmpty());
}

SHMRPC_TEST_ROLE(truncater) {
  const std::string path = absl::StrCat("/dev/shm/", args.at(0));
  return truncate(path.c_str(), 0) == 0 ? 0 : 1;
}

TEST(Truncation, ByAnotherProcessIsDataLossNotACrash) {
  const TestName name("truncated");
  auto memory = SharedMemory::Create(name, 1 << 20);
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto view = memory->Map();
  auto reader = memory->Map(MemoryAccess::kReadOnly);
  ASSERT_TRUE(view->Write(1 << 19, 1).ok());
  EXPECT_TRUE(SpawnRole("truncater", {name.plain()}).Wait().ok());
  uint64_t sum = 0;
  EXPECT_EQ(reader
                ->Visit([&](absl::Span<const uint8_t> bytes) {
                  for (const uint8_t byte : bytes) sum += byte;
                })
                .code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(view->Read<int>(1 << 19).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(view->poisoned() && reader->poisoned());
  // Dropped, it can be made anew.
  view = MemoryView();
  reader = MemoryView();
  memory = SharedMemory();
  EXPECT_TRUE(SharedMemory::Create(name, 1 << 20).ok());
}

TEST(Truncation, EndsWaitsAndSignalsOfAnEvent) {
  Watchdog dog;
  const TestName name("truncatedevent");
  auto event = NamedEvent::Create(name);
  auto opened = NamedEvent::Open(name);
  ASSERT_TRUE(event.ok() && opened.ok());
  MakeFault(name, MemoryView());
  const absl::Status status = event->Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("wait for event \"", name.local(),
                                     "\": its memory faulted")));
  EXPECT_EQ(opened->Signal().code(), absl::StatusCode::kDataLoss);
}

TEST(CustomName, IsThePathOfAFile) {
  const std::string path =
      absl::StrCat("/dev/shm/", UniqueName("shmrpc-test.path"));
  auto memory = SharedMemory::Create(path, 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->name(), path);
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  EXPECT_TRUE(SharedMemory::Open(path).ok());
  const auto bad = SharedMemory::Open("Boundary\\foo");
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bad.status().message()),
              HasSubstr("open shared memory \"Boundary\\foo\": "));
}

TEST(ForeignFile, IsNeitherOpenedNorReplaced) {
  const TestName name("foreign");
  const std::string path = absl::StrCat("/dev/shm/", name.plain());
  std::ofstream(path) << "somebody's data";
  EXPECT_EQ(SharedMemory::Open(name).status().code(),
            absl::StatusCode::kNotFound);
  const auto memory = SharedMemory::CreateOrOpen(name, 4096);
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(memory.status().message()),
              HasSubstr("a file that this library did not make"));
  EXPECT_THAT(Leftovers(name.plain()), ElementsAre(name.plain()));
  unlink(path.c_str());
}

TEST(Fork, ChildUsesItsViewsAndOpensAnew) {
  const TestName name("fork");
  auto memory = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto view = memory->Map();
  const pid_t child = fork();
  if (child == 0) {
    int code = 0;
    if (!view->Write(0, 77).ok()) code = 1;
    const absl::Status mapped = memory->Map().status();
    if (mapped.code() != absl::StatusCode::kFailedPrecondition) code = 2;
    auto opened = SharedMemory::Open(name);
    if (!opened.ok() || opened->Map()->Read<int>(0).value_or(0) != 77) code = 3;
    opened = SharedMemory();
    view = MemoryView();
    memory = SharedMemory();
    _exit(code);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(*view->Read<int>(0), 77);
  // The child's end has not freed the parent's name.
  EXPECT_TRUE(SharedMemory::Open(name).ok());
}

}  // namespace
}  // namespace shmrpc
