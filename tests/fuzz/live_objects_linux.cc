#include "tests/fuzz/live_objects_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace shmrpc {
namespace testing {
namespace {

constexpr char kPrefix[] = "shmrpc.conn.";

// "shmrpc.conn.NONCE" of "shmrpc.conn.NONCE.c0".
std::string ConnectionOf(const std::string& name) {
  return name.substr(0, name.find('.', sizeof(kPrefix) - 1));
}

std::string DescriptorPath(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

}  // namespace

LiveObjects::LiveObjects() {
  for (const auto& open : OpenObjects()) {
    left_alone_.insert(ConnectionOf(open.first));
  }
}

LiveObjects::~LiveObjects() {
  for (const Object& object : live_) munmap(object.words, object.bytes);
}

std::map<std::string, int> LiveObjects::OpenObjects() {
  std::map<std::string, int> open;
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return open;
  while (const dirent* entry = readdir(dir)) {
    char target[512];
    const ssize_t length = readlinkat(dirfd(dir), entry->d_name, target,
                                      sizeof(target));
    if (length <= 0) continue;
    // Unlinked ones end with " (deleted)"; one that is being made is "#INODE".
    std::string name(target, static_cast<size_t>(length));
    name = name.substr(0, name.find(' '));
    name = name.substr(name.rfind('/') + 1);
    if (name.rfind(kPrefix, 0) == 0) open[name] = std::atoi(entry->d_name);
  }
  closedir(dir);
  return open;
}

void LiveObjects::Look() {
  std::map<std::string, int> open = OpenObjects();
  std::vector<Object> still;
  for (Object& object : live_) {
    if (open.erase(object.name) != 0) {
      still.push_back(std::move(object));
    } else {
      munmap(object.words, object.bytes);
    }
  }
  live_ = std::move(still);
  for (const auto& fresh : open) {
    const std::string connection = ConnectionOf(fresh.first);
    if (left_alone_.count(connection) != 0) continue;
    // The number may be another file's by now: what was opened says its name.
    const int file = ::open(DescriptorPath(fresh.second).c_str(),
                            O_RDWR | O_CLOEXEC);
    if (file < 0) continue;
    char target[512];
    const ssize_t length =
        readlink(DescriptorPath(file).c_str(), target, sizeof(target));
    struct stat info;
    if (length > 0 &&
        std::string(target, static_cast<size_t>(length)).find(fresh.first) !=
            std::string::npos &&
        fstat(file, &info) == 0 && info.st_size > 0) {
      const size_t bytes = static_cast<size_t>(info.st_size);
      void* data =
          mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      if (data != MAP_FAILED) {
        const bool is_connection = connection == fresh.first;
        connections_ += is_connection;
        live_.push_back({fresh.first,
                         static_cast<std::atomic<uint64_t>*>(data), bytes,
                         is_connection});
      }
    }
    close(file);
  }
}

}  // namespace testing
}  // namespace shmrpc
