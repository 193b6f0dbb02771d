#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child_process.h"

extern char** environ;

namespace shmrpc {
namespace bench {

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  int in[2], out[2];  // of the child
  if (pipe2(in, O_CLOEXEC) != 0) {
    error_ = std::string("pipe2: ") + strerror(errno);
    return;
  }
  if (pipe2(out, O_CLOEXEC) != 0) {
    error_ = std::string("pipe2: ") + strerror(errno);
    close(in[0]), close(in[1]);
    return;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::string self = "/proc/self/exe";
  std::vector<char*> argv = {&self[0]};
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(&argument[0]);
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failure =
      posix_spawn(&pid, self.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]), close(out[1]);
  process_ = pid, to_child_ = in[1], from_child_ = out[0];
  if (failure == 0) return;
  error_ = std::string("posix_spawn: ") + strerror(failure);
  close(in[1]), close(out[0]);
}

ChildProcess::~ChildProcess() {
  if (!ok()) return;
  CloseInput();
  while (waitpid(static_cast<pid_t>(process_), nullptr, 0) < 0 &&
         errno == EINTR) {
  }
  close(static_cast<int>(from_child_));
}

uint32_t ChildProcess::pid() const { return static_cast<uint32_t>(process_); }

void ChildProcess::CloseInput() {
  if (to_child_ >= 0) close(static_cast<int>(to_child_));
  to_child_ = -1;
}

void ChildProcess::WriteBytes(const std::string& bytes) {
  // Writing to a child that has died must not end this process.
  signal(SIGPIPE, SIG_IGN);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(static_cast<int>(to_child_), bytes.data() + done,
                            bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

int ChildProcess::ReadByte() {
  unsigned char byte;
  ssize_t n;
  do {
    n = read(static_cast<int>(from_child_), &byte, 1);
  } while (n < 0 && errno == EINTR);
  return n == 1 ? byte : -1;
}

}  // namespace bench
}  // namespace shmrpc
