#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/support/mapped_objects.h"

namespace shmrpc {
namespace testing {
namespace {

struct Totals {
  std::set<std::string> names;
  uint64_t bytes = 0;
};

Totals ReadMaps() {
  Totals totals;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t path_at = line.find("/dev/shm/");
    if (path_at == std::string::npos) continue;
    absl::string_view name = absl::string_view(line).substr(path_at + 9);
    const bool deleted = absl::ConsumeSuffix(&name, " (deleted)");
    // Objects are born nameless, and then "#inode".
    if (!deleted && !absl::StrContains(name, "shmrpc.")) continue;
    uint64_t begin = 0;
    uint64_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &end) == 2) {
      totals.bytes += end - begin;
    }
    if (!deleted) totals.names.insert(std::string(name));
  }
  return totals;
}

}  // namespace

std::vector<std::string> MappedNames() {
  const Totals totals = ReadMaps();
  return {totals.names.begin(), totals.names.end()};
}

uint64_t MappedBytes() { return ReadMaps().bytes; }

}  // namespace testing
}  // namespace shmrpc
