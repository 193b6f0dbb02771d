#include "transport/platform/space_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"

namespace shmrpc {
namespace platform {
namespace {

std::string What(const ObjectName& name, uint64_t size_bytes) {
  return absl::StrCat("create mapping \"", name.name, "\" of ", size_bytes,
                      " bytes");
}

// What the kernel thinks can be had without killing somebody for it; UINT64_MAX
// if it does not say.
uint64_t AvailableMemoryBytes() {
  std::ifstream meminfo("/proc/meminfo");
  uint64_t available_kib = 0;
  uint64_t swap_kib = 0;
  bool found = false;
  std::string field;
  for (uint64_t kib; meminfo >> field >> kib; meminfo.ignore(1000, '\n')) {
    if (field == "MemAvailable:") {
      available_kib = kib;
      found = true;
    }
    if (field == "SwapFree:") swap_kib = kib;
  }
  return found ? (available_kib + swap_kib) * 1024 : UINT64_MAX;
}

// Reserving more than there is ends badly even where tmpfs allows it: some are
// as large as the machine's memory, and when that runs out the kernel kills
// processes. So it is asked before, not found out.
absl::Status CheckRoom(int fd, const ObjectName& name, uint64_t size_bytes) {
  // The kernel itself says soon enough that it has not got a little.
  constexpr uint64_t kLittle = uint64_t{1} << 20;
  if (size_bytes <= kLittle) return absl::OkStatus();
  struct statvfs fs;
  // A file system without a limit reports 0 blocks.
  if (fstatvfs(fd, &fs) == 0 && fs.f_blocks != 0 &&
      size_bytes / fs.f_frsize > fs.f_bavail) {
    return NoSpaceError(name, size_bytes, ENOSPC);
  }
  constexpr uint64_t kWorthAsking = uint64_t{64} << 20;
  if (size_bytes < kWorthAsking) return absl::OkStatus();
  const uint64_t available_bytes = AvailableMemoryBytes();
  if (size_bytes > available_bytes) {
    return OsError(What(name, size_bytes), ENOMEM,
                   absl::StrCat("the machine has ", available_bytes,
                                " bytes of memory available"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status NoSpaceError(const ObjectName& name, uint64_t size_bytes,
                          int os_error) {
  const std::string path = name.OsName();
  const std::string directory = path.substr(0, path.rfind('/'));
  std::string room;
  struct statvfs fs;
  if (statvfs(absl::StrCat(directory, "/").c_str(), &fs) == 0) {
    room =
        absl::StrCat(" (", uint64_t{fs.f_bavail} * fs.f_frsize, " of ",
                     uint64_t{fs.f_blocks} * fs.f_frsize, " bytes are free)");
  }
  return OsError(
      What(name, size_bytes), os_error,
      absl::StrCat(directory, " is full", room,
                   "; enlarge it (mount -o remount,size=1G ", directory,
                   ", or docker run --shm-size=1g) or use less"));
}

absl::Status ReserveSpace(int fd, const ObjectName& name, uint64_t size_bytes) {
  absl::Status status = CheckRoom(fd, name, size_bytes);
  if (!status.ok()) return status;
  // In parts: a signal interrupts fallocate, which then undoes its work. A
  // program with a profiling timer would never get through a large one.
  constexpr uint64_t kPartBytes = uint64_t{16} << 20;
  for (uint64_t done = 0; done < size_bytes;) {
    const uint64_t part = std::min(kPartBytes, size_bytes - done);
    if (fallocate(fd, 0, static_cast<off_t>(done), static_cast<off_t>(part)) ==
        0) {
      done += part;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    // A file system that cannot reserve (of a custom name): faults are caught.
    if (error == EOPNOTSUPP &&
        ftruncate(fd, static_cast<off_t>(size_bytes)) == 0) {
      return absl::OkStatus();
    }
    return NoSpaceError(name, size_bytes, error);
  }
  return absl::OkStatus();
}

}  // namespace platform
}  // namespace shmrpc
