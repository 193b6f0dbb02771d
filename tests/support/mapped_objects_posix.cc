#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/support/mapped_objects.h"

namespace shmrpc {
namespace testing {

MappedObjects MappedObjectsOf(uint32_t pid) {
  MappedObjects mapped;
  std::set<std::string> names;
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  for (std::string line; std::getline(maps, line);) {
    const size_t path_at = line.find("/dev/shm/");
    if (path_at == std::string::npos) continue;
    absl::string_view name = absl::string_view(line).substr(path_at + 9);
    const bool deleted = absl::ConsumeSuffix(&name, " (deleted)");
    // Objects are born nameless, and then "#inode".
    if (!deleted && !absl::StrContains(name, "shmrpc.")) continue;
    ++mapped.mappings;
    uint64_t begin = 0;
    uint64_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &end) == 2) {
      mapped.bytes += end - begin;
    }
    if (!deleted) names.insert(std::string(name));
  }
  mapped.names.assign(names.begin(), names.end());
  return mapped;
}

MappedObjects OwnMappedObjects() {
  return MappedObjectsOf(static_cast<uint32_t>(getpid()));
}

}  // namespace testing
}  // namespace shmrpc
