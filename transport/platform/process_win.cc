#include <windows.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace platform {
namespace {

// 100 ns since 1601; 0 on failure.
uint64_t StartTime(HANDLE process) {
  FILETIME created = {};
  FILETIME exited = {};
  FILETIME kernel = {};
  FILETIME user = {};
  if (!GetProcessTimes(process, &created, &exited, &kernel, &user)) return 0;
  return (uint64_t{created.dwHighDateTime} << 32) | created.dwLowDateTime;
}

// ERROR_INVALID_PARAMETER is how OpenProcess says that there is none.
absl::Status ProcessError(absl::string_view verb, uint32_t pid, int error) {
  const std::string what = absl::StrCat(verb, " process ", pid);
  if (error == ERROR_INVALID_PARAMETER) {
    return absl::NotFoundError(absl::StrCat(what, ": no such process"));
  }
  return OsError(what, error);
}

}  // namespace

ProcessId CurrentProcess() {
  return {static_cast<uint32_t>(GetCurrentProcessId()),
          StartTime(GetCurrentProcess())};
}

absl::StatusOr<ProcessId> ProcessWithPid(uint32_t pid) {
  const HANDLE process =
      OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  if (process == nullptr) return ProcessError("look up", pid, LastOsError());
  const uint64_t start_time = StartTime(process);
  const int error = LastOsError();
  CloseHandle(process);
  if (start_time == 0) return ProcessError("look up", pid, error);
  return ProcessId{pid, start_time};
}

std::string ProcessName(uint32_t pid) {
  const HANDLE process =
      OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  if (process == nullptr) return "";
  std::wstring wide(32768, L'\0');
  DWORD length = static_cast<DWORD>(wide.size());
  const BOOL ok = QueryFullProcessImageNameW(process, 0, &wide[0], &length);
  CloseHandle(process);
  if (!ok) return "";
  wide.resize(length);
  const std::wstring name = wide.substr(wide.find_last_of(L"\\/") + 1);
  char utf8[1024];
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, name.data(),
                                        static_cast<int>(name.size()), utf8,
                                        sizeof(utf8), nullptr, nullptr);
  return std::string(utf8, static_cast<size_t>(bytes > 0 ? bytes : 0));
}

bool IsAlive(const ProcessId& process) {
  const HANDLE handle = OpenProcess(
      PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, process.pid);
  // Who may not be looked at (another user's, a protected one) cannot be told
  // from a later process with its pid. A wrong "dead" would do harm.
  if (handle == nullptr) return GetLastError() == ERROR_ACCESS_DENIED;
  // An ended process exists as long as somebody has a handle of it.
  const bool alive = StartTime(handle) == process.start_time &&
                     WaitForSingleObject(handle, 0) == WAIT_TIMEOUT;
  CloseHandle(handle);
  return alive;
}

absl::Status KillProcess(uint32_t pid) {
  const HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, pid);
  if (process == nullptr) return ProcessError("kill", pid, LastOsError());
  const BOOL ok = TerminateProcess(process, 137);
  const int error = LastOsError();
  CloseHandle(process);
  return ok ? absl::OkStatus() : ProcessError("kill", pid, error);
}

}  // namespace platform
}  // namespace shmrpc
