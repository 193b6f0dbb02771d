// What /proc says of a process: whether it rests, and its numbers.

#ifndef SHMRPC_TESTS_SUPPORT_PROC_LINUX_H_
#define SHMRPC_TESTS_SUPPORT_PROC_LINUX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace testing {

// Names in /proc/PID/`directory`. None: there is no such process.
std::vector<std::string> ProcEntries(uint32_t pid,
                                     const std::string& directory);

// The first word behind "FIELD:" in /proc/PID/status; "": there is none.
std::string ProcStatus(uint32_t pid, absl::string_view field);

// Voluntary and involuntary context switches of all its threads.
int64_t ContextSwitches(uint32_t pid);

// 'S' asleep, 'T' stopped, ... of its main thread; '?': it is gone.
char StateOf(uint32_t pid);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_PROC_LINUX_H_
