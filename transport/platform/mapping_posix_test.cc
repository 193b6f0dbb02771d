// What only Linux has: names that outlive processes, kernel-vouched pids,
// forks.

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/file_lock_posix.h"
#include "transport/platform/fork.h"
#include "transport/platform/mapping.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A name of this run alone. What killed children leave under it goes with it.
struct TestName : ObjectName {
  explicit TestName(absl::string_view stem)
      : ObjectName{Scope::kLocal,
                   UniqueName(absl::StrCat("shmrpc-test.", stem))} {}
  ~TestName() { ReclaimAbandoned(scope, name); }
};

SHMRPC_TEST_ROLE(creator) {
  auto mapping = NamedMapping::Create({Scope::kLocal, args.at(0)}, 4096, {});
  SendLine(mapping.ok() ? "ready" : mapping.status().ToString());
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Asks who created args[0], again and again.
SHMRPC_TEST_ROLE(witness) {
  OpenOptions options;
  options.hold = false;
  auto mapping = NamedMapping::Open({Scope::kLocal, args.at(0)}, options);
  if (!mapping.ok()) return 1;
  std::string line;
  do {
    const auto pid = mapping->CreatorPid();
    SendLine(absl::StrCat(pid.has_value() ? absl::StrCat(*pid) : "none", " ",
                          mapping->HeldByAnyone() ? "held" : "free"));
  } while (ReceiveLine(&line));
  return 0;
}

// Creates args[0], forks a child that stays, and is to be killed. The child's
// pid is sent, so that the test can end it.
SHMRPC_TEST_ROLE(forking_creator) {
  auto mapping = NamedMapping::Create({Scope::kLocal, args.at(0)}, 4096, {});
  if (!mapping.ok()) return 1;
  const pid_t child = fork();
  if (child == 0) {
    SendLine(absl::StrCat(getpid()));  // by then fork() is through in it, too
    close(1);
    while (true) pause();
  }
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// A file system that cannot make nameless files: openat(O_TMPFILE) fails.
SHMRPC_TEST_ROLE(without_tmpfile) {
  constexpr uint32_t kTmpfileBit = 020000000;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kTmpfileBit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  const ObjectName name{Scope::kLocal, args.at(0)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 ||
      open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0) {
    return 2;
  }
  auto mapping = NamedMapping::Create(name, 4096, {});
  if (!mapping.ok()) return 3;
  if (NamedMapping::Create(name, 4096, {}).ok()) return 4;
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// A tmpfs of 1 MiB of its own, and two objects that do not fit together.
SHMRPC_TEST_ROLE(small_tmpfs) {
  char directory[] = "/tmp/shmrpc-test.XXXXXX";
  if (mkdtemp(directory) == nullptr) return 2;
  // As root, or as a user who is root in a namespace of its own.
  const bool mounted =
      (unshare(CLONE_NEWNS) == 0 ||
       unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      mount("tmpfs", directory, "tmpfs", 0, "size=1m") == 0;
  if (!mounted) {
    SendLine("cannot mount");
    rmdir(directory);
    return 0;
  }
  const auto path = [&](const char* file) {
    return ObjectName{Scope::kCustom, absl::StrCat(directory, "/", file)};
  };
  auto first = NamedMapping::Create(path("first"), 700 << 10, {});
  auto second = NamedMapping::Create(path("second"), 700 << 10, {});
  SendLine(first.ok() ? second.status().ToString() : "first failed");
  CreateOptions options;
  options.reserve_first_bytes = 4096;
  auto third = NamedMapping::Create(path("third"), 700 << 10, options);
  SendLine(third.ok() ? third->Reserve().ToString() : "third failed");
  umount2(directory, MNT_DETACH);
  rmdir(directory);
  return 0;
}

std::string Ask(Subprocess* witness) {
  witness->WriteLine("?");
  return witness->ReadLine().value_or("(gone)");
}

void MakeStale(const ObjectName& name) {
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  creator.Kill();
  creator.Wait();
  ASSERT_THAT(Leftovers(name.name), ElementsAre(name.name));
}

mode_t ModeOf(const ObjectName& name) {
  struct stat stat;
  EXPECT_EQ(::stat(name.OsName().c_str(), &stat), 0);
  return stat.st_mode & 0777;
}

TEST(MappingPosix, ModeIsTheCreatorsAloneUnlessAsked) {
  const TestName name("mode");
  auto mapping = NamedMapping::Create(name, 4096, {});
  EXPECT_EQ(ModeOf(name), 0600u);
  mapping = NamedMapping();
  CreateOptions options;
  options.access.mode = 0660;
  options.access.group_id = getegid();
  mapping = NamedMapping::Create(name, 4096, options);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(ModeOf(name), 0660u);
}

TEST(MappingPosix, AnotherUsersObjectIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const TestName name("owner");
  auto mapping = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(mapping.ok());
  ASSERT_EQ(chown(name.OsName().c_str(), 65534, 65534), 0);
  const auto opened = NamedMapping::Open(name, {});
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("65534"));
  OpenOptions options;
  options.require_same_owner = false;
  EXPECT_TRUE(NamedMapping::Open(name, options).ok());
}

TEST(MappingPosix, CustomNameIsAPath) {
  const ObjectName name = {
      Scope::kCustom,
      absl::StrCat("/dev/shm/", UniqueName("shmrpc-test.custom"))};
  auto mapping = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(access(name.name.c_str(), F_OK), 0);
  EXPECT_TRUE(NamedMapping::Open(name, {}).ok());
}

TEST(MappingPosix, UnlinkedObjectIsGoneForOthersOnly) {
  const TestName name("unlinked");
  auto mapping = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(mapping.ok());
  mapping->Unlink();
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(mapping->Map(0, 4096, Access::kReadWrite).ok());
  // The name is free for another, which the first one's end does not touch.
  auto second = NamedMapping::Create(name, 8192, {});
  ASSERT_TRUE(second.ok()) << second.status();
  mapping->Unlink();
  mapping = NamedMapping();
  EXPECT_TRUE(NamedMapping::Open(name, {}).ok());
}

TEST(MappingPosix, GuestSeesWhetherTheNameStillStandsForIt) {
  const TestName name("stands");
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  OpenOptions options;
  options.hold = false;
  auto guest = NamedMapping::Open(name, options);
  ASSERT_TRUE(guest.ok()) << guest.status();
  EXPECT_TRUE(guest->Stands());
  creator.Kill();
  creator.Wait();
  EXPECT_FALSE(guest->Stands()) << "nobody holds it";
  auto successor = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(successor.ok()) << successor.status();
  EXPECT_FALSE(guest->Stands()) << "the name is another object's";
}

TEST(MappingPosix, LeftObjectIsForThoseWhoAskForIt) {
  const ObjectName name = {Scope::kLocal, UniqueName("test.left")};
  {
    auto mapping = NamedMapping::Create(name, 4096, {});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    mapping->LeaveName();
    EXPECT_FALSE(mapping->HeldByAnyone());
  }
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  OpenOptions options;
  options.hold = false;
  options.abandoned_too = true;
  auto left = NamedMapping::Open(name, options);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->size_bytes(), 4096u);
  left->Unlink();
  EXPECT_EQ(NamedMapping::Open(name, options).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(MappingPosix, ForeignFileIsNeitherReplacedNorReclaimed) {
  const TestName name("foreign");
  std::ofstream(name.OsName()) << "somebody's data";
  const auto mapping = NamedMapping::Create(name, 4096, {});
  EXPECT_EQ(mapping.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReclaimAbandoned(Scope::kLocal, name.name), 0);
  EXPECT_THAT(Leftovers(name.name), ElementsAre(name.name));
  unlink(name.OsName().c_str());
}

TEST(MappingPosix, SymlinkIsNotFollowed) {
  const TestName target("target");
  const TestName link("symlink");
  auto mapping = NamedMapping::Create(target, 4096, {});
  ASSERT_EQ(symlink(target.OsName().c_str(), link.OsName().c_str()), 0);
  EXPECT_FALSE(NamedMapping::Open(link, {}).ok());
  EXPECT_EQ(NamedMapping::Create(link, 4096, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
  unlink(link.OsName().c_str());
}

TEST(MappingPosix, DescriptorsAreNotLeaked) {
  const auto count = [] {
    int open = 0;
    for (int fd = 0; fd < 1000; ++fd) open += fcntl(fd, F_GETFD) >= 0;
    return open;
  };
  const TestName name("leak");
  { auto warm_up = NamedMapping::Create(name, 4096, {}); }
  const int before = count();
  for (int i = 0; i < 10; ++i) {
    auto creator = NamedMapping::Create(name, 4096, {});
    auto opener = NamedMapping::Open(name, {});
    auto again = NamedMapping::Create(name, 4096, {});
    EXPECT_TRUE(opener.ok());
    EXPECT_FALSE(again.ok());
  }
  EXPECT_EQ(count(), before);
}

TEST(MappingPosix, FullFileSystemIsResourceExhaustedWithAdvice) {
  Subprocess role = SpawnRole("small_tmpfs");
  const std::string said = role.ReadLine().value_or("");
  if (said == "cannot mount") GTEST_SKIP() << said;
  EXPECT_THAT(said, ::testing::StartsWith("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(said, HasSubstr("second\" of 716800 bytes"));
  const std::string of_reserve = role.ReadLine().value_or("");
  EXPECT_THAT(of_reserve, ::testing::StartsWith("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(of_reserve, HasSubstr("third\" of 716800 bytes"));
  EXPECT_THAT(said, HasSubstr("is full"));
  EXPECT_THAT(said, HasSubstr("--shm-size"));
}

TEST(MappingPosix, FileSystemWithoutNamelessFilesWorks) {
  const TestName name("tmpname");
  Subprocess creator = SpawnRole("without_tmpfile", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  EXPECT_THAT(Leftovers(name.name), ElementsAre(name.name));
  EXPECT_EQ(NamedMapping::Open(name, {})->CreatorPid(), creator.pid());
  creator.CloseStdin();
  EXPECT_EQ(creator.Wait().code, 0);
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
}

TEST(CreatorPid, OtherProcessSeesTheCreatorWhileItHolds) {
  const TestName name("pid");
  auto mapping = NamedMapping::Create(name, 4096, {});
  auto holder = NamedMapping::Open(name, {});
  EXPECT_EQ(mapping->CreatorPid(), absl::nullopt);  // this very process
  Subprocess witness = SpawnRole("witness", {name.name});
  EXPECT_EQ(witness.ReadLine(), absl::StrCat(getpid(), " held"));
  mapping = NamedMapping();
  EXPECT_EQ(Ask(&witness), "none held");
  holder = NamedMapping();
  EXPECT_EQ(Ask(&witness), "none free");
}

// Closing any descriptor of a file drops all of the process's POSIX locks on
// it.
TEST(CreatorPid, OpeningTheOwnObjectDoesNotLoseTheLock) {
  const TestName name("ownopen");
  auto mapping = NamedMapping::Create(name, 4096, {});
  Subprocess witness = SpawnRole("witness", {name.name});
  ASSERT_EQ(witness.ReadLine(), absl::StrCat(getpid(), " held"));
  {
    auto opened = NamedMapping::Open(name, {});
    ASSERT_TRUE(opened.ok());
    OpenOptions guest;
    guest.hold = false;
    guest.access = Access::kReadOnly;
    ASSERT_TRUE(NamedMapping::Open(name, guest).ok());
  }
  EXPECT_FALSE(NamedMapping::Create(name, 4096, {}).ok());
  EXPECT_EQ(ReclaimAbandoned(Scope::kLocal, name.name), 0);
  EXPECT_EQ(Ask(&witness), absl::StrCat(getpid(), " held"));
}

// A plugin may bring its own copy of this library into the process. Its lists
// are not ours; what it made is told apart by the locks alone.
TEST(CreatorPid, OpeningAnotherCopysObjectDoesNotLoseTheLock) {
  const TestName name("othercopy");
  const std::string path = name.OsName();
  int fd = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(ftruncate(fd, 4096), 0);
  ASSERT_EQ(fchmod(fd, 0600 | S_ISVTX), 0);
  struct flock posix_lock = OneByte(F_WRLCK, 1);
  ASSERT_TRUE(SetOfdLock(fd, F_RDLCK, 0));
  ASSERT_TRUE(SetOfdLock(fd, F_RDLCK, (off_t{1} << 32) + getpid()));
  ASSERT_EQ(fcntl(fd, F_SETLK, &posix_lock), 0);

  Subprocess witness = SpawnRole("witness", {name.name});
  ASSERT_EQ(witness.ReadLine(), absl::StrCat(getpid(), " held"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(NamedMapping::Open(name, {}).ok());
  EXPECT_FALSE(NamedMapping::Create(name, 4096, {}).ok());
  EXPECT_EQ(ReclaimAbandoned(Scope::kLocal, name.name), 0);
  EXPECT_EQ(Ask(&witness), absl::StrCat(getpid(), " held"));

  // When the creator has gone, what was kept open for it is closed.
  close(fd);
  EXPECT_EQ(Ask(&witness), "none free");
  EXPECT_EQ(ReclaimAbandoned(Scope::kLocal, name.name), 1);
  ASSERT_FALSE(NamedMapping::Open(name, {}).ok());
  int links = 0;
  for (int other = 0; other < 1000; ++other) {
    char target[4096];
    const std::string link = absl::StrCat("/proc/self/fd/", other);
    const ssize_t n = readlink(link.c_str(), target, sizeof(target));
    links += n > 0 && absl::string_view(target, n).find(name.name) !=
                          absl::string_view::npos;
  }
  EXPECT_EQ(links, 0);
}

TEST(Reclaim, CrashedProcessesObjectsAreUnlinked) {
  const TestName first("reclaim");
  const ObjectName second = first.WithSuffix(".b");
  const ObjectName living = first.WithSuffix(".living");
  const ObjectName own = first.WithSuffix(".own");
  MakeStale(first.WithSuffix(".a"));
  MakeStale(second);
  Subprocess creator = SpawnRole("creator", {living.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  auto mapping = NamedMapping::Create(own, 4096, {});

  EXPECT_EQ(ReclaimAbandoned(Scope::kGlobal, first.name), 0);
  EXPECT_EQ(ReclaimAbandoned(Scope::kLocal, first.name), 2);
  EXPECT_THAT(Leftovers(first.name), ElementsAre(living.name, own.name));
  EXPECT_EQ(ReclaimAbandoned(Scope::kLocal, first.name), 0);
}

TEST(Fork, ChildOfAKilledCreatorDoesNotKeepTheName) {
  const TestName name("forkheld");
  Subprocess creator = SpawnRole("forking_creator", {name.name});
  int child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(creator.ReadLine().value_or(""), &child));
  EXPECT_TRUE(NamedMapping::Open(name, {}).ok());
  creator.Kill();
  creator.Wait();
  ASSERT_EQ(kill(child, 0), 0);
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(NamedMapping::Create(name, 4096, {}).ok());
  kill(child, SIGKILL);
}

// Runs `body` in a forked child; its return value is the exit code.
template <class F>
int InChild(F body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Fork, GenerationCountsForks) {
  const uint32_t before = ForkGeneration();
  EXPECT_EQ(InChild([&] {
              return static_cast<int>(ForkGeneration() - before) * 10 +
                     InChild([&] {
                       return static_cast<int>(ForkGeneration() - before);
                     });
            }),
            12);
  EXPECT_EQ(ForkGeneration(), before);
}

TEST(Fork, ChildsDestructorsLeaveTheParentsObjectAlone) {
  const TestName name("forkchild");
  auto mapping = NamedMapping::Create(name, 4096, {});
  auto opener = NamedMapping::Open(name, {});
  auto view = mapping->Map(0, 4096, Access::kReadWrite);
  Subprocess witness = SpawnRole("witness", {name.name});
  ASSERT_EQ(witness.ReadLine(), absl::StrCat(getpid(), " held"));
  EXPECT_EQ(InChild([&] {
              if (mapping->Map(0, 4096, Access::kReadOnly).ok()) return 1;
              if (mapping->CreatorPid().has_value()) return 2;
              mapping->Unlink();
              mapping = NamedMapping();
              opener = NamedMapping();
              view = View();
              // Its parent's object is another process's for it.
              auto opened = NamedMapping::Open(name, {});
              if (!opened.ok()) return 3;
              if (opened->CreatorPid() != static_cast<uint32_t>(getppid())) {
                return 4;
              }
              const ObjectName own = name.WithSuffix(".child");
              if (!NamedMapping::Create(own, 4096, {}).ok()) return 5;
              return 0;
            }),
            0);
  EXPECT_EQ(Ask(&witness), absl::StrCat(getpid(), " held"));
  EXPECT_THAT(Leftovers(name.name), ElementsAre(name.name));
  view->data()[0] = 1;  // still mapped here
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
