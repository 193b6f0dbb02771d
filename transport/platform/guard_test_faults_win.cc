#include <windows.h>

#include <cstdlib>

#include "transport/platform/guard_test_faults.h"

namespace shmrpc {
namespace platform {
namespace {

int exit_code_on_fault = 0;

LONG WINAPI OnUnhandled(EXCEPTION_POINTERS* pointers) {
  const bool is_fault =
      pointers->ExceptionRecord->ExceptionCode == EXCEPTION_ACCESS_VIOLATION;
  TerminateProcess(GetCurrentProcess(), is_fault ? exit_code_on_fault : 99);
  return EXCEPTION_EXECUTE_HANDLER;
}

}  // namespace

void ExitWithCodeOnFault(int code) {
  exit_code_on_fault = code;
  SetUnhandledExceptionFilter(&OnUnhandled);
}

void FaultOutsideAnyView() {
  void* const data =
      VirtualAlloc(nullptr, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_NOACCESS);
  *static_cast<volatile char*>(data) = 1;
}

void ReplaceByFaultingMemory(uint8_t* data, uint64_t size_bytes) {
  if (VirtualAlloc(data, static_cast<SIZE_T>(size_bytes),
                   MEM_RESERVE | MEM_COMMIT, PAGE_NOACCESS) != data) {
    std::abort();
  }
}

}  // namespace platform
}  // namespace shmrpc
