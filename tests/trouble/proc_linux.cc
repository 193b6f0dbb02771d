#include "tests/trouble/proc_linux.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace testing {
namespace {

std::vector<std::string> EntriesOf(const std::string& directory) {
  std::vector<std::string> names;
  DIR* const dir = opendir(directory.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(dir);
  return names;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Holdings& holdings) {
  return out << holdings.descriptors << " descriptors, "
             << holdings.shm_mappings << " mappings of /dev/shm, "
             << holdings.shm_bytes << " bytes used there";
}

Holdings HoldingsOf(uint32_t pid) {
  Holdings holdings;
  holdings.descriptors =
      static_cast<int>(EntriesOf(absl::StrCat("/proc/", pid, "/fd")).size());
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  for (std::string line; std::getline(maps, line);) {
    if (absl::StrContains(line, "/dev/shm/")) ++holdings.shm_mappings;
  }
  struct statvfs fs;
  if (statvfs("/dev/shm", &fs) == 0) {
    holdings.shm_bytes =
        static_cast<int64_t>((fs.f_blocks - fs.f_bfree) * fs.f_frsize);
  }
  return holdings;
}

int64_t ContextSwitches(uint32_t pid) {
  int64_t total = 0;
  const std::string tasks = absl::StrCat("/proc/", pid, "/task");
  for (const std::string& task : EntriesOf(tasks)) {
    std::ifstream status(absl::StrCat(tasks, "/", task, "/status"));
    for (std::string field; status >> field;) {
      if (!absl::EndsWith(field, "voluntary_ctxt_switches:")) continue;
      int64_t count = 0;
      status >> count;
      total += count;
    }
  }
  return total;
}

char StateOf(uint32_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string field; status >> field;) {
    if (field != "State:") continue;
    status >> field;
    return field[0];
  }
  return '?';
}

int TruncateObjects(uint32_t pid, const std::string& path_part,
                    int64_t at_least_bytes) {
  int truncated = 0;
  const std::string fds = absl::StrCat("/proc/", pid, "/fd");
  for (const std::string& fd : EntriesOf(fds)) {
    const std::string path = absl::StrCat(fds, "/", fd);
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

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace testing
}  // namespace shmrpc
