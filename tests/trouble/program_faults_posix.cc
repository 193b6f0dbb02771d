#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "tests/trouble/program_faults.h"

namespace shmrpc {
namespace testing {
namespace {

// Where FaultLikeAProgram faults.
std::atomic<char*> fault_at{nullptr};
struct sigaction before[NSIG];

void OnFault(int, siginfo_t* info, void*) {
  _exit(info->si_addr == fault_at.load() ? kHandlerExitCode : 99);
}

void OnFaultOrChain(int signal_number, siginfo_t* info, void* context) {
  if (info->si_addr == fault_at.load()) _exit(kHandlerExitCode);
  const struct sigaction& previous = before[signal_number];
  if ((previous.sa_flags & SA_SIGINFO) == 0) _exit(98);  // there is none
  previous.sa_sigaction(signal_number, info, context);
}

}  // namespace

std::vector<std::string> ProgramFaults() { return {"sigbus", "sigsegv"}; }
std::vector<std::string> ProgramHandlers() { return {"sigaction", "chaining"}; }
bool LeavesOthersFaults(const std::string& handler) {
  return handler == "chaining";
}

void InstallProgramHandler(const std::string& handler) {
  struct sigaction action = {};
  action.sa_sigaction = handler == "chaining" ? &OnFaultOrChain : &OnFault;
  action.sa_flags = SA_SIGINFO;
  for (const int number : {SIGBUS, SIGSEGV}) {
    if (sigaction(number, &action, &before[number]) != 0) abort();
  }
}

void FaultLikeAProgram(const std::string& fault) {
  const bool bus = fault == "sigbus";
  int fd = -1;
  if (bus) {  // mapped memory behind which there is no file
    char path[] = "/tmp/shmrpc-test.XXXXXX";
    fd = mkstemp(path);
    unlink(path);
  }
  void* const data =
      mmap(nullptr, 4096, bus ? PROT_READ | PROT_WRITE : PROT_NONE,
           bus ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
  if (data == MAP_FAILED) abort();
  fault_at.store(static_cast<char*>(data));
  *static_cast<volatile char*>(data) = 1;
}

}  // namespace testing
}  // namespace shmrpc
