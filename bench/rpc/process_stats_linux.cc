#include <dirent.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "bench/rpc/process_stats.h"

namespace shmrpc {
namespace bench {
namespace {

std::string Directory(uint32_t pid) { return "/proc/" + std::to_string(pid); }

// The number after `key` in a file of "key: number" lines, or 0.
int64_t Field(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) == 0) {
      return std::stoll(line.substr(key.size()));
    }
  }
  return 0;
}

}  // namespace

int64_t ContextSwitches(uint32_t pid) {
  const std::string tasks = Directory(pid) + "/task";
  DIR* directory = opendir(tasks.c_str());
  if (directory == nullptr) return 0;
  int64_t switches = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const std::string status = tasks + "/" + entry->d_name + "/status";
    switches += Field(status, "voluntary_ctxt_switches:") +
                Field(status, "nonvoluntary_ctxt_switches:");
  }
  closedir(directory);
  return switches;
}

Memory MemoryOf(uint32_t pid) {
  Memory memory;
  memory.anonymous_bytes = 1024 * Field(Directory(pid) + "/status", "RssAnon:");
  // How far each object is mapped: parts of one may be, or the same part twice.
  std::map<uint64_t, int64_t> end_by_inode;
  std::ifstream maps(Directory(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0, end = 0, offset = 0, inode = 0;
    if (line.find(" /dev/shm/") == std::string::npos ||
        std::sscanf(line.c_str(),
                    "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %" SCNu64,
                    &begin, &end, &offset, &inode) != 4) {
      continue;
    }
    int64_t& known = end_by_inode[inode];
    known = std::max(known, static_cast<int64_t>(offset + end - begin));
  }
  for (const auto& object : end_by_inode) memory.shm_bytes += object.second;
  return memory;
}

}  // namespace bench
}  // namespace shmrpc
