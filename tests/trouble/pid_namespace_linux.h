// A role run in a pid namespace of its own.
//
//   Subprocess inside =
//       SpawnRole("in_pid_namespace", {"proc", "some_role", "its argument"});
//   const std::string line = inside.ReadLine().value_or("(nothing)");
//   SKIP_IF_FORBIDDEN(line);
//
// The first argument is "proc" (with a /proc of its own, as containers have) or
// anything else. The role is the namespace's first process; its orphans are its
// children.

#ifndef SHMRPC_TESTS_TROUBLE_PID_NAMESPACE_LINUX_H_
#define SHMRPC_TESTS_TROUBLE_PID_NAMESPACE_LINUX_H_

#include "gtest/gtest.h"

// The first line of a role run there; skips the test if it is forbidden.
#define SKIP_IF_FORBIDDEN(line)                                     \
  if ((line).compare(0, 9, "forbidden") == 0) {                     \
    GTEST_SKIP() << "no pid namespace may be made here, " << (line) \
                 << "; run this test as root to have it";           \
  }

#endif  // SHMRPC_TESTS_TROUBLE_PID_NAMESPACE_LINUX_H_
