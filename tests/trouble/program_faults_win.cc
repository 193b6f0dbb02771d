#include <windows.h>

#include <atomic>
#include <cstdlib>

#include "tests/trouble/program_faults.h"

namespace shmrpc {
namespace testing {
namespace {

// Where FaultLikeAProgram faults.
std::atomic<void*> fault_at{nullptr};

bool IsOurs(const EXCEPTION_POINTERS* pointers) {
  const EXCEPTION_RECORD* const record = pointers->ExceptionRecord;
  return record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION &&
         record->NumberParameters >= 2 &&
         record->ExceptionInformation[1] ==
             reinterpret_cast<ULONG_PTR>(fault_at.load());
}

LONG WINAPI OnUnhandled(EXCEPTION_POINTERS* pointers) {
  TerminateProcess(GetCurrentProcess(),
                   IsOurs(pointers) ? kHandlerExitCode : 99);
  return EXCEPTION_EXECUTE_HANDLER;
}

// Sees every exception of the process, the library's too, and first.
LONG WINAPI OnAny(EXCEPTION_POINTERS* pointers) {
  if (IsOurs(pointers)) TerminateProcess(GetCurrentProcess(), kHandlerExitCode);
  return EXCEPTION_CONTINUE_SEARCH;
}

}  // namespace

std::vector<std::string> ProgramFaults() { return {"access-violation"}; }
std::vector<std::string> ProgramHandlers() { return {"filter", "vectored"}; }
bool LeavesOthersFaults(const std::string&) { return true; }

void InstallProgramHandler(const std::string& handler) {
  if (handler == "vectored") {
    if (AddVectoredExceptionHandler(1, &OnAny) == nullptr) std::abort();
  } else {
    SetUnhandledExceptionFilter(&OnUnhandled);
  }
}

void FaultLikeAProgram(const std::string&) {
  void* const data =
      VirtualAlloc(nullptr, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_NOACCESS);
  fault_at.store(data);
  *static_cast<volatile char*>(data) = 1;
}

}  // namespace testing
}  // namespace shmrpc
