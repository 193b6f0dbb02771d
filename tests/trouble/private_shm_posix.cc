#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

bool have_private_shm = false;

}  // namespace

bool EnterPrivateShm(const char* size) {
  const std::string options = absl::StrCat("size=", size, ",mode=1777");
  if (unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV,
            options.c_str()) != 0) {
    printf(
        "NOTE: no private /dev/shm (%s; it needs CAP_SYS_ADMIN): checks for "
        "names left behind are skipped\n",
        strerror(errno));
    return false;
  }
  have_private_shm = true;
  return true;
}

bool HavePrivateShm() { return have_private_shm; }

}  // namespace testing
}  // namespace shmrpc
