#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport/platform/guard_test_faults.h"

namespace shmrpc {
namespace platform {
namespace {

int exit_code_on_fault = 0;

void OnSigbus(int, siginfo_t* info, void*) {
  // Called as it asked to be: with where and why.
  _exit(info != nullptr && info->si_code == BUS_ADRERR ? exit_code_on_fault
                                                       : 99);
}

// Mapped memory behind which there is no file: SIGBUS.
void* MapNothing(void* at, uint64_t size_bytes, int flags) {
  char path[] = "/tmp/shmrpc-test.XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  void* const data =
      mmap(at, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
  close(fd);
  if (data == MAP_FAILED) abort();
  return data;
}

}  // namespace

void ExitWithCodeOnFault(int code) {
  exit_code_on_fault = code;
  struct sigaction action = {};
  action.sa_sigaction = &OnSigbus;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

void FaultOutsideAnyView() {
  *static_cast<volatile char*>(MapNothing(nullptr, 4096, 0)) = 1;
}

void ReplaceByFaultingMemory(uint8_t* data, uint64_t size_bytes) {
  MapNothing(data, size_bytes, MAP_FIXED_NOREPLACE);
}

}  // namespace platform
}  // namespace shmrpc
