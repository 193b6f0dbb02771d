// The SIGBUS handler. A fault inside a view of ours gets the whole view
// replaced by zero pages and marked; anything else goes where it would have
// gone.
//
// Whole views, not pages: remapping page by page costs a signal each and soon
// runs into the limit of mappings (vm.max_map_count).

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

#include "transport/platform/module.h"
#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace platform {
namespace {

// Written once before `installed`, apart from SA_RESETHAND below.
struct sigaction previous;

// As the kernel does by default: the process ends with SIGBUS. A fault repeats
// when the handler returns; a signal that somebody sent does not.
void DefaultAction(bool sent) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGBUS, &action, nullptr);
  if (sent) raise(SIGBUS);
}

void CallPrevious(int signal_number, siginfo_t* info, void* context) {
  const bool sent = info->si_code <= 0;  // kill(2), sigqueue(3), not a fault
  if ((previous.sa_flags & SA_SIGINFO) == 0) {
    if (previous.sa_handler == SIG_IGN && sent) return;
    // The kernel does not let a process ignore its own faults.
    if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
      DefaultAction(sent);
      return;
    }
  }
  // The signals it asked to be blocked while it runs.
  sigset_t blocked = previous.sa_mask;
  if ((previous.sa_flags & SA_NODEFER) == 0) sigaddset(&blocked, SIGBUS);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const struct sigaction handler = previous;
  if ((previous.sa_flags & SA_RESETHAND) != 0) {
    previous.sa_flags = 0;
    previous.sa_handler = SIG_DFL;
  }
  if ((handler.sa_flags & SA_SIGINFO) != 0) {
    handler.sa_sigaction(signal_number, info, context);
  } else {
    handler.sa_handler(signal_number);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// The bare system call: mmap(3) is not on the list of async-signal-safe
// functions, and sanitizers replace it by one of theirs, which is not either.
bool MapZeros(const AddressRange& range) {
#ifdef SYS_mmap2
  constexpr long kMmap = SYS_mmap2;  // 32-bit systems
#else
  constexpr long kMmap = SYS_mmap;
#endif
  const long result = syscall(kMmap, range.begin, range.end - range.begin,
                              PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1L, 0L);
  return result != -1;
}

void OnSigbus(int signal_number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  AddressRange range;
  const int view =
      info->si_code > 0
          ? FindView(reinterpret_cast<uintptr_t>(info->si_addr), &range)
          : -1;
  if (view >= 0) {
    // First the mark, then the zeros, which must not pass for memory that
    // another thread maps again in between: see BeginPoison.
    BeginPoison(view);
    const bool mapped = MapZeros(range);
    EndPoison(view);
    if (mapped) {
      errno = saved_errno;
      return;
    }
    // No memory even for an empty mapping: the fault is a fault after all.
  }
  CallPrevious(signal_number, info, context);
  errno = saved_errno;
}

}  // namespace

void InstallFaultHandler() {
  static std::once_flag once;
  std::call_once(once, [] {
    PinModule();
    // Read first, so that `previous` is complete when the handler can run.
    sigaction(SIGBUS, nullptr, &previous);
    struct sigaction action = {};
    action.sa_sigaction = &OnSigbus;
    sigemptyset(&action.sa_mask);
    // ONSTACK: a thread with an alternate stack may have little of the other.
    // NODEFER: a chained handler that leaves by longjmp must not leave SIGBUS
    // blocked. RESTART: system calls of a chained, returning handler.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
    struct sigaction replaced;
    sigaction(SIGBUS, &action, &replaced);
    // Somebody else may have installed one between the two.
    if (replaced.sa_sigaction != previous.sa_sigaction) previous = replaced;
  });
}

}  // namespace platform
}  // namespace shmrpc
