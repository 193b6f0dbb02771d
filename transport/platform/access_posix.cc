#include "transport/platform/access_posix.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"

namespace shmrpc {
namespace platform {
namespace {

// The value of "system.posix_acl_access", as acl(5) lists have it on their way
// to the kernel (uapi/linux/posix_acl_xattr.h): little-endian, sorted by tag.
struct AclEntry {
  uint16_t tag;
  uint16_t permissions;
  uint32_t id;
};
struct Acl {
  uint32_t version;
  AclEntry entries[5];
};
static_assert(sizeof(Acl) == 44, "the kernel's format");

constexpr uint32_t kAclVersion = 2;
constexpr uint32_t kNoId = UINT32_MAX;
constexpr uint16_t kReadWrite = 6;

// The owner and `uid` may read and write, nobody else anything.
Acl TwoUsers(uint32_t uid) {
  return {kAclVersion,
          {{0x01, kReadWrite, kNoId},  // the owner
           {0x02, kReadWrite, uid},    // this user
           {0x04, 0, kNoId},           // the owning group
           {0x10, kReadWrite, kNoId},  // the most that the two above may
           {0x20, 0, kNoId}}};         // others
}

absl::Status LetUserIn(int fd, absl::string_view object,
                       const std::string& user) {
  const std::string what = absl::StrCat("open ", object, " to user ", user);
  uint32_t uid = 0;
  if (!absl::SimpleAtoi(user, &uid)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": that is no user id"));
  }
  const Acl acl = TwoUsers(uid);
  // The kernel keeps the sticky bit as it is.
  if (fsetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl), 0) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  if (error == EOPNOTSUPP) {
    return absl::UnimplementedError(absl::StrCat(
        what, ": ", DescribeOsError(error),
        ": the file system has no access control lists (for /dev/shm: a kernel "
        "without CONFIG_TMPFS_POSIX_ACL), so that calls between two users "
        "cannot be kept from others"));
  }
  return OsError(
      what, error,
      error == EINVAL
          ? "the user does not exist in this process's user namespace"
          : "");
}

}  // namespace

absl::Status ApplyAccess(int fd, absl::string_view object, mode_t mode,
                         const AccessPolicy& access) {
  if (!access.user.empty()) return LetUserIn(fd, object, access.user);
  // First the group: giving it away may clear bits of the mode.
  if (access.group_id.has_value() &&
      fchown(fd, static_cast<uid_t>(-1), *access.group_id) != 0) {
    return OsError(absl::StrCat("give ", object), errno,
                   absl::StrCat("this process may not give it to group ",
                                *access.group_id));
  }
  mode_t wanted = access.mode.value_or(0600) & 0777;
  if (access.others_read_only) wanted = (wanted & 0444) | 0600;
  wanted |= S_ISVTX;
  // Nothing to do in the usual case.
  if (!access.group_id.has_value() && (mode & 07777) == wanted) {
    return absl::OkStatus();
  }
  if (fchmod(fd, wanted) != 0) {
    return OsError(absl::StrCat("set the mode of ", object), errno);
  }
  return absl::OkStatus();
}

}  // namespace platform
}  // namespace shmrpc
