// The shared memory this process has mapped right now.
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

// Names (file names in /dev/shm) of mapped objects of this library that still
// have their names; each once. Windows, where a mapping does not tell its name:
// always empty.
std::vector<std::string> MappedNames();

// Bytes of mapped objects of this library, named or not, each mapping counted.
// Windows: of all mappings that are backed by the page file.
uint64_t MappedBytes();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_MAPPED_OBJECTS_H_
