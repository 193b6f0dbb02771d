// The shared memory that a process has mapped right now.
//
// A test that ran everything it started to its end has none; and what a process
// had mapped, but no name leads to any more, is freed with its last mapping.

#ifndef SHMRPC_TESTS_SUPPORT_MAPPED_OBJECTS_H_
#define SHMRPC_TESTS_SUPPORT_MAPPED_OBJECTS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace shmrpc {
namespace testing {

// Objects of this library, named or not. Windows, where a mapping does not tell
// its name: all mappings that are backed by the page file.
struct MappedObjects {
  // File names in /dev/shm of those that still have theirs; each once. Windows:
  // always empty.
  std::vector<std::string> names;
  int64_t mappings = 0;
  uint64_t bytes = 0;  // each mapping counted
};

// Of the calling process.
MappedObjects OwnMappedObjects();
// Of another one. Linux alone.
MappedObjects MappedObjectsOf(uint32_t pid);

// Of the calling process.
inline std::vector<std::string> MappedNames() {
  return OwnMappedObjects().names;
}
inline uint64_t MappedBytes() { return OwnMappedObjects().bytes; }

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_MAPPED_OBJECTS_H_
