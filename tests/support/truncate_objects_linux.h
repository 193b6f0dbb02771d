// Breaks shared memory as somebody who may write to it can.

#ifndef SHMRPC_TESTS_SUPPORT_TRUNCATE_OBJECTS_LINUX_H_
#define SHMRPC_TESTS_SUPPORT_TRUNCATE_OBJECTS_LINUX_H_

#include <cstdint>
#include <string>

namespace shmrpc {
namespace testing {

// Truncates, for everybody, the objects that `pid` has open and whose path, as
// /proc shows it, contains `path_part`. Returns how many. By path: opening and
// closing a descriptor of an object that this process made would drop its lock.
int TruncateObjects(uint32_t pid, const std::string& path_part,
                    int64_t at_least_bytes = 1);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_TRUNCATE_OBJECTS_LINUX_H_
