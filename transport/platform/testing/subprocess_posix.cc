#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "transport/platform/testing/subprocess.h"

extern char** environ;

namespace shmrpc {
namespace testing {
namespace {

[[noreturn]] void Die(const std::string& what, int error) {
  fprintf(stderr, "Subprocess: %s: %s\n", what.c_str(), strerror(error));
  abort();
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe NewPipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) Die("pipe2", errno);
  return {fds[0], fds[1]};
}

}  // namespace

struct Subprocess::Impl {
  pid_t pid = -1;
  int to_child = -1;
  int from_child = -1;
  std::string unread;
  std::string program;
  bool waited = false;
  ExitStatus status;
};

Subprocess::Subprocess(const std::string& program,
                       const std::vector<std::string>& args,
                       const Environment& environment)
    : impl_(std::make_unique<Impl>()) {
  // A child that has died must make WriteLine fail, not end the test.
  signal(SIGPIPE, SIG_IGN);

  const Pipe in = NewPipe();
  const Pipe out = NewPipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  sigset_t unblocked;
  sigemptyset(&unblocked);
  posix_spawnattr_setsigmask(&attributes, &unblocked);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) {
    variables.push_back(absl::StrCat(name, "=", value));
  }
  for (char** v = environ; *v != nullptr; ++v) {
    const absl::string_view entry(*v);
    bool replaced = false;
    for (const auto& [name, value] : environment) {
      if (entry.substr(0, name.size() + 1) == absl::StrCat(name, "=")) {
        replaced = true;
      }
    }
    if (!replaced) variables.push_back(*v);
  }
  std::vector<char*> envp;
  for (std::string& v : variables) envp.push_back(&v[0]);
  envp.push_back(nullptr);

  std::vector<std::string> words = {program};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(&w[0]);
  argv.push_back(nullptr);

  const int error = posix_spawn(&impl_->pid, program.c_str(), &actions,
                                &attributes, argv.data(), envp.data());
  if (error != 0) Die(absl::StrCat("start ", program), error);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(in.read_end);
  close(out.write_end);
  impl_->to_child = in.write_end;
  impl_->from_child = out.read_end;
  impl_->program = absl::StrCat(program, args.empty() ? "" : " ",
                                args.empty() ? "" : args[0]);
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
  close(impl_->from_child);
}

uint32_t Subprocess::pid() const { return static_cast<uint32_t>(impl_->pid); }

absl::optional<std::string> Subprocess::ReadLine(int timeout_s) {
  Watchdog dog(timeout_s, absl::StrCat("a line from ", impl_->program));
  while (true) {
    const size_t end = impl_->unread.find('\n');
    if (end != std::string::npos) {
      std::string line = impl_->unread.substr(0, end);
      impl_->unread.erase(0, end + 1);
      return line;
    }
    char buffer[4096];
    const ssize_t n = read(impl_->from_child, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (impl_->unread.empty()) return absl::nullopt;
      return std::exchange(impl_->unread, std::string());
    }
    impl_->unread.append(buffer, static_cast<size_t>(n));
  }
}

bool Subprocess::WriteLine(absl::string_view line) {
  if (impl_->to_child < 0) return false;
  std::string text = absl::StrCat(line, "\n");
  Watchdog dog(kWatchdogSeconds, absl::StrCat("write to ", impl_->program));
  while (!text.empty()) {
    const ssize_t n = write(impl_->to_child, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.erase(0, static_cast<size_t>(n));
  }
  return true;
}

void Subprocess::CloseStdin() {
  if (impl_->to_child >= 0) close(std::exchange(impl_->to_child, -1));
}

void Subprocess::Kill() {
  if (!impl_->waited) kill(impl_->pid, SIGKILL);
}

ExitStatus Subprocess::Wait(int timeout_s) {
  if (impl_->waited) return impl_->status;
  Watchdog dog(timeout_s, absl::StrCat("the end of ", impl_->program));
  int status = 0;
  while (waitpid(impl_->pid, &status, 0) < 0) {
    if (errno != EINTR) Die("waitpid", errno);
  }
  impl_->waited = true;
  if (WIFEXITED(status)) impl_->status.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) impl_->status.signal = WTERMSIG(status);
  return impl_->status;
}

std::string SelfExecutable() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
  if (n <= 0) Die("readlink /proc/self/exe", errno);
  return std::string(path, static_cast<size_t>(n));
}

}  // namespace testing
}  // namespace shmrpc
