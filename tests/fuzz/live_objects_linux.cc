#include "tests/fuzz/live_objects_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "transport/memory/layout.h"

namespace shmrpc {
namespace testing {
namespace {

std::string DescriptorPath(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

}  // namespace

LiveObjects::LiveObjects() {
  for (const auto& open : OpenObjects()) left_alone_.insert(open.first);
}

LiveObjects::~LiveObjects() {
  for (const Object& object : live_) munmap(object.words, object.bytes);
}

std::map<uint64_t, int> LiveObjects::OpenObjects() {
  std::map<uint64_t, int> open;
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return open;
  while (const dirent* entry = readdir(dir)) {
    char target[512];
    const ssize_t length =
        readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
    struct stat info;
    if (length > 0 &&
        std::string(target, static_cast<size_t>(length))
                .rfind("/dev/shm/", 0) == 0 &&
        fstatat(dirfd(dir), entry->d_name, &info, 0) == 0) {
      open[info.st_ino] = std::atoi(entry->d_name);
    }
  }
  closedir(dir);
  return open;
}

void LiveObjects::Look() {
  std::map<uint64_t, int> open = OpenObjects();
  std::vector<Object> still;
  for (Object& object : live_) {
    if (open.erase(object.inode) != 0) {
      still.push_back(object);
    } else {
      munmap(object.words, object.bytes);
    }
  }
  live_ = std::move(still);
  for (const auto& fresh : open) {
    if (left_alone_.count(fresh.first) != 0) continue;
    const int file =
        ::open(DescriptorPath(fresh.second).c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) continue;
    struct stat info;
    // The number may be another file's by now.
    if (fstat(file, &info) == 0 && info.st_ino == fresh.first &&
        info.st_size > 0) {
      const size_t bytes = static_cast<size_t>(info.st_size);
      void* data =
          mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      if (data != MAP_FAILED) {
        const bool is_connection =
            bytes == memory::ConnectionSizeBytes(memory::kRingSizeBytes);
        connections_ += is_connection;
        live_.push_back({fresh.first, static_cast<std::atomic<uint64_t>*>(data),
                         bytes, is_connection});
      }
    }
    close(file);
  }
}

}  // namespace testing
}  // namespace shmrpc
