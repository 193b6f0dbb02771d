// What a process at rest takes: what it holds of the system, and what is its
// own, threads and memory.
//
//   SendLine(OwnConsumption().ToLine());
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SOAK_CONSUMPTION_H_
#define SHMRPC_TESTS_SOAK_CONSUMPTION_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/support/footprint.h"

namespace shmrpc {
namespace testing {

struct Consumption {
  Footprint footprint;
  int64_t threads = 0;
  int64_t heap_bytes = 0;     // allocated and not freed
  int64_t private_bytes = 0;  // of memory that is this process's alone

  std::string ToLine() const;
  // False if `line` is none.
  bool FromLine(absl::string_view line);
};
std::ostream& operator<<(std::ostream& out, const Consumption& consumption);

// Of the calling process. What its allocator could give back is given back
// first, where that is possible.
Consumption OwnConsumption();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_CONSUMPTION_H_
