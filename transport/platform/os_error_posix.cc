#include <errno.h>
#include <string.h>

#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"

namespace shmrpc {
namespace platform {
namespace {

// strerrorname_np would do, but needs glibc 2.32. These are the ones that the
// calls in this folder are documented to return.
const char* ErrorName(int os_error) {
  switch (os_error) {
    case EACCES:
      return "EACCES";
    case EAGAIN:
      return "EAGAIN";
    case EBADF:
      return "EBADF";
    case EBUSY:
      return "EBUSY";
    case EDEADLK:
      return "EDEADLK";
    case EDQUOT:
      return "EDQUOT";
    case EEXIST:
      return "EEXIST";
    case EFAULT:
      return "EFAULT";
    case EFBIG:
      return "EFBIG";
    case EINTR:
      return "EINTR";
    case EINVAL:
      return "EINVAL";
    case EIO:
      return "EIO";
    case EISDIR:
      return "EISDIR";
    case ELOOP:
      return "ELOOP";
    case EMFILE:
      return "EMFILE";
    case ENAMETOOLONG:
      return "ENAMETOOLONG";
    case ENFILE:
      return "ENFILE";
    case ENODEV:
      return "ENODEV";
    case ENOENT:
      return "ENOENT";
    case ENOLCK:
      return "ENOLCK";
    case ENOMEM:
      return "ENOMEM";
    case ENOSPC:
      return "ENOSPC";
    case ENOSYS:
      return "ENOSYS";
    case ENOTDIR:
      return "ENOTDIR";
    case ENXIO:
      return "ENXIO";
    case EOPNOTSUPP:
      return "EOPNOTSUPP";
    case EOVERFLOW:
      return "EOVERFLOW";
    case EPERM:
      return "EPERM";
    case EROFS:
      return "EROFS";
    case ESRCH:
      return "ESRCH";
    case ETIMEDOUT:
      return "ETIMEDOUT";
    case EXDEV:
      return "EXDEV";
    default:
      return "errno";
  }
}

}  // namespace

int LastOsError() { return errno; }

std::string DescribeOsError(int os_error) {
  // The GNU variant, which Linux C++ compilers choose (_GNU_SOURCE).
  char buffer[128] = "";
  return absl::StrCat(strerror_r(os_error, buffer, sizeof(buffer)), " (",
                      ErrorName(os_error), " ", os_error, ")");
}

absl::StatusCode OsErrorCode(int os_error) {
  switch (os_error) {
    case ENOENT:
    case ESRCH:
    case ENXIO:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
    case EFBIG:
    case ENOLCK:
    case EAGAIN:
      return absl::StatusCode::kResourceExhausted;
    case ETIMEDOUT:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace platform
}  // namespace shmrpc
