#include "transport/platform/access_posix.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace platform {
namespace {

using ::testing::HasSubstr;

// A nameless file as ObjectFile makes them.
class Access : public ::testing::Test {
 protected:
  Access() : fd_(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    EXPECT_GE(fd_, 0);
    EXPECT_EQ(fchmod(fd_, 01600), 0);
  }
  ~Access() override { close(fd_); }

  absl::Status Apply(const AccessPolicy& access) {
    return ApplyAccess(fd_, "the object", Mode(), access);
  }
  mode_t Mode() const {
    struct stat file;
    EXPECT_EQ(fstat(fd_, &file), 0);
    return file.st_mode & 07777;
  }
  std::string List() const {
    char list[256];
    const ssize_t bytes =
        fgetxattr(fd_, "system.posix_acl_access", list, sizeof(list));
    return bytes < 0 ? "" : std::string(list, static_cast<size_t>(bytes));
  }

  const int fd_;
};

TEST_F(Access, DefaultIsTheOwnerAlone) {
  ASSERT_TRUE(Apply({}).ok());
  EXPECT_EQ(Mode(), 01600u);
  EXPECT_EQ(List(), "");
}

TEST_F(Access, ModeIsSetAndTheMarkKept) {
  AccessPolicy access;
  access.mode = 0666;
  ASSERT_TRUE(Apply(access).ok());
  EXPECT_EQ(Mode(), 01666u);
  access.mode = 07660;  // bits that are not about permission
  ASSERT_TRUE(Apply(access).ok());
  EXPECT_EQ(Mode(), 01660u);
}

TEST_F(Access, OthersMayOnlyReadWhereTheyAreToRead) {
  AccessPolicy access;
  access.others_read_only = true;
  ASSERT_TRUE(Apply(access).ok());
  EXPECT_EQ(Mode(), 01600u);
  access.mode = 0660;
  ASSERT_TRUE(Apply(access).ok());
  EXPECT_EQ(Mode(), 01640u);
  access.mode = 0666;
  ASSERT_TRUE(Apply(access).ok());
  EXPECT_EQ(Mode(), 01644u);
}

TEST_F(Access, OneMoreUserIsTheOnlyOneOnTheList) {
  AccessPolicy access;
  access.user = "70002";
  ASSERT_TRUE(Apply(access).ok());
  // The group's bits show the mask of the list, not what the group may do.
  EXPECT_EQ(Mode(), 01660u);
  const std::string list = List();
  ASSERT_EQ(list.size(), 44u);
  struct Entry {
    uint16_t tag;
    uint16_t permissions;
    uint32_t id;
  } entries[5];
  memcpy(entries, list.data() + 4, sizeof(entries));
  EXPECT_EQ(entries[1].tag, 2);  // a named user
  EXPECT_EQ(entries[1].permissions, 6);
  EXPECT_EQ(entries[1].id, 70002u);
  EXPECT_EQ(entries[2].tag, 4);  // the group
  EXPECT_EQ(entries[2].permissions, 0);
  EXPECT_EQ(entries[4].tag, 32);  // others
  EXPECT_EQ(entries[4].permissions, 0);
}

TEST_F(Access, UserThatCannotBeIsRefused) {
  for (const char* user : {"4294967295", "joe", "-1", " "}) {
    AccessPolicy access;
    access.user = user;
    const absl::Status status = Apply(access);
    EXPECT_FALSE(status.ok()) << user;
    EXPECT_THAT(std::string(status.message()), HasSubstr(user));
    EXPECT_EQ(Mode(), 01600u);
  }
}

TEST_F(Access, FileSystemWithoutListsRefuses) {
  int pipe[2];  // is on one
  ASSERT_EQ(::pipe(pipe), 0);
  AccessPolicy access;
  access.user = "70002";
  const absl::Status status = ApplyAccess(pipe[0], "the object", 01600, access);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("CONFIG_TMPFS_POSIX_ACL"));
  close(pipe[0]);
  close(pipe[1]);
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
