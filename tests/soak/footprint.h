// What a process holds of the system: what must not grow while calls, channels
// and peers come and go.
//
//   SendLine(OwnFootprint().ToLine());
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SOAK_FOOTPRINT_H_
#define SHMRPC_TESTS_SOAK_FOOTPRINT_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace testing {

struct Footprint {
  int64_t handles = 0;  // Linux: descriptors
  int64_t threads = 0;
  int64_t mapped_bytes = 0;   // MappedBytes(), tests/support/mapped_objects.h
  int64_t shm_bytes = 0;      // used in /dev/shm by everybody; Windows: 0
  int64_t heap_bytes = 0;     // allocated and not freed
  int64_t private_bytes = 0;  // of memory that is this process's alone

  std::string ToLine() const;
  // False if `line` is none.
  bool FromLine(absl::string_view line);
};
std::ostream& operator<<(std::ostream& out, const Footprint& footprint);

// Of the calling process. What its allocator could give back is given back
// first, where that is possible.
Footprint OwnFootprint();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_FOOTPRINT_H_
