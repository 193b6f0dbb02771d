#include "tests/support/truncate_objects_linux.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/support/proc_linux.h"

namespace shmrpc {
namespace testing {

int TruncateObjects(uint32_t pid, const std::string& path_part,
                    int64_t at_least_bytes) {
  int truncated = 0;
  for (const std::string& fd : ProcEntries(pid, "fd")) {
    const std::string path = absl::StrCat("/proc/", pid, "/fd/", fd);
    char target[4096];
    const ssize_t n = readlink(path.c_str(), target, sizeof(target));
    if (n <= 0 ||
        !absl::StrContains(absl::string_view(target, static_cast<size_t>(n)),
                           path_part)) {
      continue;
    }
    struct stat stat_buffer;
    if (stat(path.c_str(), &stat_buffer) != 0 ||
        stat_buffer.st_size < at_least_bytes) {
      continue;
    }
    if (truncate(path.c_str(), 0) == 0) ++truncated;
  }
  return truncated;
}

}  // namespace testing
}  // namespace shmrpc
