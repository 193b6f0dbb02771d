#include <dirent.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {

std::vector<std::string> Leftovers(absl::string_view prefix) {
  std::vector<std::string> names;
  DIR* dir = opendir("/dev/shm");
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (absl::StartsWith(entry->d_name, prefix) && entry->d_name[0] != '.') {
      names.push_back(entry->d_name);
    }
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace testing
}  // namespace shmrpc
