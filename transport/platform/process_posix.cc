#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "transport/platform/fork.h"
#include "transport/platform/os_error.h"
#include "transport/platform/process.h"
#include "transport/platform/watched_process_posix.h"

namespace shmrpc {
namespace platform {
namespace {

struct ProcStat {
  char state = '\0';
  uint64_t start_time = 0;  // clock ticks since boot
};

// False with errno; ENOENT or ESRCH: no such process.
bool ReadProcStat(uint32_t pid, ProcStat* result) {
  const int fd =
      open(absl::StrCat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[1024];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  const int error = errno;
  close(fd);
  errno = error;
  if (n <= 0) return false;
  // The command, in parentheses, may itself contain any character.
  absl::string_view text(buffer, static_cast<size_t>(n));
  const size_t command_end = text.rfind(')');
  errno = EIO;  // not the format of proc(5)
  if (command_end == absl::string_view::npos) return false;
  text.remove_prefix(command_end + 1);
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text, ' ', absl::SkipEmpty());
  // fields[0] is field 3, the state; field 22 is the start time.
  if (fields.size() < 20 || fields[0].size() != 1) return false;
  result->state = fields[0][0];
  return absl::SimpleAtoi(fields[19], &result->start_time);
}

// This process's start time, once it was looked up. A forked child is another
// process: it has another key.
std::atomic<uint64_t> own_key{0};  // fork generation, pid; 0: not looked up
std::atomic<uint64_t> own_start_time{0};

bool HasEnded(const ProcStat& stat) {
  return stat.state == 'Z' || stat.state == 'X' || stat.state == 'x';
}

}  // namespace

ProcessId CurrentProcess() {
  ProcessId id;
  id.pid = static_cast<uint32_t>(getpid());
  const uint64_t key = uint64_t{ForkGeneration()} << 32 | id.pid;
  // acquire: SYNC(own-start-time).
  if (own_key.load(std::memory_order_acquire) == key) {
    id.start_time = own_start_time.load(std::memory_order_relaxed);
    return id;
  }
  ProcStat stat;
  if (!ReadProcStat(id.pid, &stat)) return id;
  id.start_time = stat.start_time;
  // Threads that do this at once store the same.
  own_start_time.store(stat.start_time, std::memory_order_relaxed);
  // release: SYNC(own-start-time).
  own_key.store(key, std::memory_order_release);
  return id;
}

absl::StatusOr<ProcessId> ProcessWithPid(uint32_t pid) {
  ProcStat stat;
  if (pid == 0 || !ReadProcStat(pid, &stat)) {
    const int error = pid == 0 ? ESRCH : errno;
    if (error == ENOENT &&
        (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM)) {
      return absl::PermissionDeniedError(absl::StrCat(
          "look up process ", pid, ": it runs, but /proc does not show it: ",
          "mount /proc, or without hidepid"));
    }
    return OsError(absl::StrCat("look up process ", pid), error);
  }
  return ProcessId{pid, stat.start_time};
}

std::string ProcessName(uint32_t pid) {
  char path[4096];
  const ssize_t n =
      readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path, sizeof(path));
  absl::string_view name(path, n > 0 ? static_cast<size_t>(n) : 0);
  // After the program was replaced on disk.
  constexpr absl::string_view kDeleted = " (deleted)";
  if (name.size() > kDeleted.size() &&
      name.substr(name.size() - kDeleted.size()) == kDeleted) {
    name.remove_suffix(kDeleted.size());
  }
  const size_t slash = name.rfind('/');
  if (slash != absl::string_view::npos) name.remove_prefix(slash + 1);
  return std::string(name);
}

bool IsAlive(const ProcessId& process) {
  const absl::optional<bool> watched = WatchedProcessIsAlive(process);
  if (watched.has_value()) return *watched;
  ProcStat stat;
  return process.pid != 0 && ReadProcStat(process.pid, &stat) &&
         stat.start_time == process.start_time && !HasEnded(stat);
}

absl::Status KillProcess(uint32_t pid) {
  // kill() takes 0 and negative numbers for whole groups of processes.
  if (pid == 0 || pid > INT32_MAX) {
    return absl::NotFoundError(absl::StrCat("kill process ", pid));
  }
  if (kill(static_cast<pid_t>(pid), SIGKILL) != 0) {
    return OsError(absl::StrCat("kill process ", pid), errno);
  }
  return absl::OkStatus();
}

}  // namespace platform
}  // namespace shmrpc
