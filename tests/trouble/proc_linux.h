// What /proc says of a process, for tests of what it keeps and whether it
// rests.

#ifndef SHMRPC_TESTS_TROUBLE_PROC_LINUX_H_
#define SHMRPC_TESTS_TROUBLE_PROC_LINUX_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace shmrpc {
namespace testing {

struct Holdings {
  int descriptors = 0;
  int shm_mappings = 0;   // lines of /proc/PID/maps that lie in /dev/shm
  int64_t shm_bytes = 0;  // used on the whole /dev/shm

  friend bool operator==(const Holdings& a, const Holdings& b) {
    return a.descriptors == b.descriptors && a.shm_mappings == b.shm_mappings &&
           a.shm_bytes == b.shm_bytes;
  }
};
std::ostream& operator<<(std::ostream& out, const Holdings& holdings);

Holdings HoldingsOf(uint32_t pid);

// Voluntary and involuntary context switches of all its threads.
int64_t ContextSwitches(uint32_t pid);

// "S" asleep, "T" stopped, ... of its main thread.
char StateOf(uint32_t pid);

// Truncates, for everybody, the objects that `pid` has open and whose path, as
// /proc shows it, contains `path_part`. Returns how many. By path: opening and
// closing a descriptor of an object that this process made would drop its lock.
int TruncateObjects(uint32_t pid, const std::string& path_part,
                    int64_t at_least_bytes = 1);

// Looks every few milliseconds until `condition` holds; false: not within a
// minute.
bool Eventually(const std::function<bool()>& condition);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_TROUBLE_PROC_LINUX_H_
