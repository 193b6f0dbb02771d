#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "bench/child_process.h"

namespace shmrpc {
namespace bench {
namespace {

HANDLE AsHandle(std::intptr_t value) { return reinterpret_cast<HANDLE>(value); }

std::string LastError(const char* what) {
  return std::string(what) + ": error " + std::to_string(GetLastError());
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), nullptr, TRUE};
  HANDLE in_read, in_write, out_read, out_write;
  if (!CreatePipe(&in_read, &in_write, &inheritable, 0)) {
    error_ = LastError("CreatePipe");
    return;
  }
  if (!CreatePipe(&out_read, &out_write, &inheritable, 0)) {
    error_ = LastError("CreatePipe");
    CloseHandle(in_read), CloseHandle(in_write);
    return;
  }
  // A child holding its own pipe's other end would never see the end of input.
  SetHandleInformation(in_write, HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(out_read, HANDLE_FLAG_INHERIT, 0);

  char self[MAX_PATH];
  GetModuleFileNameA(nullptr, self, MAX_PATH);
  std::string command = "\"" + std::string(self) + "\"";
  for (const std::string& argument : arguments) command += " " + argument;
  STARTUPINFOA startup = {};
  startup.cb = sizeof(startup);
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = in_read;
  startup.hStdOutput = out_write;
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  PROCESS_INFORMATION process = {};
  if (!CreateProcessA(self, &command[0], nullptr, nullptr, TRUE, 0, nullptr,
                      nullptr, &startup, &process)) {
    error_ = LastError("CreateProcess");
  }
  CloseHandle(in_read), CloseHandle(out_write);
  if (!ok()) {
    CloseHandle(in_write), CloseHandle(out_read);
    return;
  }
  CloseHandle(process.hThread);
  process_ = reinterpret_cast<std::intptr_t>(process.hProcess);
  to_child_ = reinterpret_cast<std::intptr_t>(in_write);
  from_child_ = reinterpret_cast<std::intptr_t>(out_read);
}

ChildProcess::~ChildProcess() {
  if (!ok()) return;
  CloseInput();
  WaitForSingleObject(AsHandle(process_), INFINITE);
  CloseHandle(AsHandle(process_));
  CloseHandle(AsHandle(from_child_));
}

uint32_t ChildProcess::pid() const {
  return ok() ? GetProcessId(AsHandle(process_)) : 0;
}

void ChildProcess::CloseInput() {
  if (to_child_ != 0) CloseHandle(AsHandle(to_child_));
  to_child_ = 0;
}

void ChildProcess::WriteBytes(const std::string& bytes) {
  DWORD written = 0;
  WriteFile(AsHandle(to_child_), bytes.data(), static_cast<DWORD>(bytes.size()),
            &written, nullptr);
}

int ChildProcess::ReadByte() {
  unsigned char byte;
  DWORD n = 0;
  return ReadFile(AsHandle(from_child_), &byte, 1, &n, nullptr) && n == 1 ? byte
                                                                          : -1;
}

}  // namespace bench
}  // namespace shmrpc
