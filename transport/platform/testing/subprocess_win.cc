#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <map>

#include "absl/strings/str_cat.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "Subprocess: %s: error %lu\n", what.c_str(),
               GetLastError());
  std::fflush(stderr);
  std::abort();
}

struct Pipe {
  HANDLE read_end = nullptr;
  HANDLE write_end = nullptr;
};

Pipe NewPipe() {
  Pipe pipe;
  if (!CreatePipe(&pipe.read_end, &pipe.write_end, nullptr, 0)) {
    Die("CreatePipe");
  }
  return pipe;
}

void Inheritable(HANDLE handle) {
  if (!SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
    Die("SetHandleInformation");
  }
}

// As CommandLineToArgvW and the C runtime take it apart again: backslashes
// count only before a quote.
std::string Quoted(const std::string& word) {
  std::string text = "\"";
  size_t backslashes = 0;
  for (const char c : word) {
    if (c == '\\') {
      ++backslashes;
      continue;
    }
    text.append(c == '"' ? 2 * backslashes + 1 : backslashes, '\\');
    backslashes = 0;
    text.push_back(c);
  }
  text.append(2 * backslashes, '\\');
  text.push_back('"');
  return text;
}

// The environment block with `extra` on top, sorted as CreateProcess wants it.
std::string EnvironmentBlock(const Subprocess::Environment& extra) {
  std::map<std::string, std::string> variables;
  char* const block = GetEnvironmentStringsA();
  for (const char* entry = block; *entry != '\0';) {
    const std::string text(entry);
    entry += text.size() + 1;
    // Names such as "=C:" (current directories) start with '='.
    const size_t equals = text.find('=', 1);
    if (equals == std::string::npos) continue;
    variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  FreeEnvironmentStringsA(block);
  for (const auto& [name, value] : extra) variables[name] = value;
  std::string result;
  for (const auto& [name, value] : variables) {
    absl::StrAppend(&result, name, "=", value);
    result.push_back('\0');
  }
  result.push_back('\0');
  return result;
}

}  // namespace

struct Subprocess::Impl {
  HANDLE process = nullptr;
  DWORD pid = 0;
  HANDLE to_child = nullptr;
  HANDLE from_child = nullptr;
  std::string unread;
  std::string program;
  bool waited = false;
  ExitStatus status;
};

Subprocess::Subprocess(const std::string& program,
                       const std::vector<std::string>& args,
                       const Environment& environment)
    : impl_(std::make_unique<Impl>()) {
  const Pipe in = NewPipe();
  const Pipe out = NewPipe();
  Inheritable(in.read_end);
  Inheritable(out.write_end);
  HANDLE error_output = GetStdHandle(STD_ERROR_HANDLE);
  // A duplicate: the handle itself may not be inheritable.
  if (!DuplicateHandle(GetCurrentProcess(), error_output, GetCurrentProcess(),
                       &error_output, 0, TRUE, DUPLICATE_SAME_ACCESS)) {
    error_output = nullptr;
  }

  // Only these handles are inherited. With plain inheritance a child started
  // at the same time would keep the other's pipe open, and its end unseen.
  HANDLE inherited[3] = {in.read_end, out.write_end, error_output};
  const DWORD inherited_count = error_output != nullptr ? 3 : 2;
  SIZE_T list_bytes = 0;
  InitializeProcThreadAttributeList(nullptr, 1, 0, &list_bytes);
  std::vector<char> list(list_bytes);
  STARTUPINFOEXA startup = {};
  startup.StartupInfo.cb = sizeof(startup);
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = in.read_end;
  startup.StartupInfo.hStdOutput = out.write_end;
  startup.StartupInfo.hStdError = error_output;
  startup.lpAttributeList =
      reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(list.data());
  if (!InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0,
                                         &list_bytes) ||
      !UpdateProcThreadAttribute(
          startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
          inherited, inherited_count * sizeof(HANDLE), nullptr, nullptr)) {
    Die("UpdateProcThreadAttribute");
  }

  std::string command_line = Quoted(program);
  for (const std::string& arg : args) {
    absl::StrAppend(&command_line, " ", Quoted(arg));
  }
  std::string variables = EnvironmentBlock(environment);
  PROCESS_INFORMATION info = {};
  const auto start = [&] {
    // The command line is the callee's to change.
    std::string words = command_line;
    return CreateProcessA(program.c_str(), &words[0], nullptr, nullptr, TRUE,
                          EXTENDED_STARTUPINFO_PRESENT, &variables[0], nullptr,
                          &startup.StartupInfo, &info) != 0;
  };
  bool started = start();
  // Wine on an overloaded machine now and then loses a process at its start.
  for (int i = 0; i < 3 && !started && GetLastError() == ERROR_INTERNAL_ERROR;
       ++i) {
    std::fprintf(stderr, "Subprocess: starting %s again\n", program.c_str());
    started = start();
  }
  if (!started) Die(absl::StrCat("start ", program));
  DeleteProcThreadAttributeList(startup.lpAttributeList);
  CloseHandle(info.hThread);
  CloseHandle(in.read_end);
  CloseHandle(out.write_end);
  if (error_output != nullptr) CloseHandle(error_output);
  impl_->process = info.hProcess;
  impl_->pid = info.dwProcessId;
  impl_->to_child = in.write_end;
  impl_->from_child = out.read_end;
  impl_->program = command_line;
}

Subprocess::Subprocess(Subprocess&&) noexcept = default;

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  Subprocess old(std::move(*this));
  impl_ = std::move(other.impl_);
  return *this;
}

Subprocess::~Subprocess() {
  if (impl_ == nullptr) return;
  if (!impl_->waited) {
    Kill();
    Wait();
  }
  CloseStdin();
  CloseHandle(impl_->from_child);
  CloseHandle(impl_->process);
}

uint32_t Subprocess::pid() const { return impl_->pid; }

absl::optional<std::string> Subprocess::ReadLine(int timeout_s) {
  Watchdog dog(timeout_s, absl::StrCat("a line from ", impl_->program));
  while (true) {
    const size_t end = impl_->unread.find('\n');
    if (end != std::string::npos) {
      std::string line = impl_->unread.substr(0, end);
      impl_->unread.erase(0, end + 1);
      // The child's stdout is in text mode.
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return line;
    }
    char buffer[4096];
    DWORD n = 0;
    if (!ReadFile(impl_->from_child, buffer, sizeof(buffer), &n, nullptr) ||
        n == 0) {
      if (impl_->unread.empty()) return absl::nullopt;
      return std::exchange(impl_->unread, std::string());
    }
    impl_->unread.append(buffer, n);
  }
}

bool Subprocess::WriteLine(absl::string_view line) {
  if (impl_->to_child == nullptr) return false;
  const std::string text = absl::StrCat(line, "\n");
  Watchdog dog(kWatchdogSeconds, absl::StrCat("write to ", impl_->program));
  DWORD n = 0;
  return WriteFile(impl_->to_child, text.data(),
                   static_cast<DWORD>(text.size()), &n, nullptr) &&
         n == text.size();
}

void Subprocess::CloseStdin() {
  if (impl_->to_child != nullptr) {
    CloseHandle(std::exchange(impl_->to_child, nullptr));
  }
}

void Subprocess::Kill() {
  if (!impl_->waited) TerminateProcess(impl_->process, 137);
}

ExitStatus Subprocess::Wait(int timeout_s) {
  if (impl_->waited) return impl_->status;
  Watchdog dog(timeout_s, absl::StrCat("the end of ", impl_->program));
  WaitForSingleObject(impl_->process, INFINITE);
  DWORD code = 0;
  GetExitCodeProcess(impl_->process, &code);
  impl_->waited = true;
  impl_->status.code = static_cast<int>(code);
  return impl_->status;
}

std::string SelfExecutable() {
  char path[32768];
  const DWORD n = GetModuleFileNameA(nullptr, path, sizeof(path));
  if (n == 0 || n == sizeof(path)) Die("GetModuleFileName");
  return std::string(path, n);
}

}  // namespace testing
}  // namespace shmrpc
