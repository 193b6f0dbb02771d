#include "tests/support/proc_linux.h"

#include <dirent.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace shmrpc {
namespace testing {

std::vector<std::string> ProcEntries(uint32_t pid,
                                     const std::string& directory) {
  std::vector<std::string> names;
  DIR* const dir = opendir(absl::StrCat("/proc/", pid, "/", directory).c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(dir);
  return names;
}

std::string ProcStatus(uint32_t pid, absl::string_view field) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    absl::string_view name = word;
    if (!absl::ConsumeSuffix(&name, ":") || name != field) continue;
    status >> word;
    return word;
  }
  return "";
}

int64_t ContextSwitches(uint32_t pid) {
  int64_t total = 0;
  for (const std::string& task : ProcEntries(pid, "task")) {
    std::ifstream status(
        absl::StrCat("/proc/", pid, "/task/", task, "/status"));
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
  const std::string state = ProcStatus(pid, "State");
  return state.empty() ? '?' : state[0];
}

}  // namespace testing
}  // namespace shmrpc
