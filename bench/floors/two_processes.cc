#include "bench/floors/two_processes.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace shmrpc {
namespace bench {

namespace {

// The measuring loop spins without a look at anything but its flag; if the
// child crashed it would do so for ever.
void OnChildEnd(int) {
  siginfo_t info = {};
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0 || (info.si_code == CLD_EXITED && info.si_status == 0)) {
    return;
  }
  constexpr char kMessage[] = "benchmark failed: its second process died\n";
  (void)!write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  _exit(1);
}

}  // namespace

TwoProcesses::TwoProcesses(size_t size_bytes,
                           const std::function<void(void*)>& child)
    : size_bytes_(size_bytes) {
  memory_ = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory_ == MAP_FAILED) {
    memory_ = nullptr;
    error_ = std::string("mmap: ") + strerror(errno);
    return;
  }
  signal(SIGCHLD, OnChildEnd);
  const pid_t parent = getpid();
  child_ = fork();
  if (child_ < 0) error_ = std::string("fork: ") + strerror(errno);
  if (child_ != 0) return;

  // A spinning child must not outlive a parent that was killed.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  // Page tables are per process; fill the child's too.
  volatile char* bytes = static_cast<char*>(memory_);
  for (size_t i = 0; i < size_bytes; i += 4096) (void)bytes[i];
  child(memory_);
  _exit(0);  // the parent's benchmarks and buffers are not the child's to end
}

TwoProcesses::~TwoProcesses() {
  if (child_ > 0) {
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (memory_ != nullptr) munmap(memory_, size_bytes_);
}

}  // namespace bench
}  // namespace shmrpc
