#include "tests/trouble/pid_namespace_linux.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {
namespace {

// Runs the role args[1] with the rest as its arguments in a new pid namespace;
// args[0] "proc": with a /proc of its own, as containers have. Answers
// "forbidden" if this process may not.
SHMRPC_TEST_ROLE(in_pid_namespace) {
  const bool own_proc = args.at(0) == "proc";
  if (unshare(CLONE_NEWPID | (own_proc ? CLONE_NEWNS : 0)) != 0) {
    SendLine(absl::StrCat("forbidden: ", strerror(errno)));
    return 0;
  }
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (own_proc &&
        (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) ||
         mount("proc", "/proc", "proc", 0, nullptr))) {
      dprintf(1, "forbidden: mount /proc: %s\n", strerror(errno));
      _exit(0);
    }
    std::vector<std::string> words = {"/proc/self/exe",
                                      absl::StrCat("--role=", args.at(1))};
    words.insert(words.end(), args.begin() + 2, args.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(&word[0]);
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
