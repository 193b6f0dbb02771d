// What a process holds of the system, to be compared before and after
// something: none of it grows while calls, channels and peers come and go.
//
//   const Footprint before = FootprintOf(server.pid());
//   ... a client comes and dies ...
//   EXPECT_TRUE(Eventually([&] {
//     return FootprintOf(server.pid()).IsWithin(before);
//   }));
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SUPPORT_FOOTPRINT_H_
#define SHMRPC_TESTS_SUPPORT_FOOTPRINT_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace testing {

struct Footprint {
  int64_t handles = 0;       // Linux: descriptors
  int64_t mappings = 0;      // of shared memory (mapped_objects.h)
  int64_t mapped_bytes = 0;  // of all these
  int64_t shm_bytes = 0;     // used in /dev/shm by everybody; Windows: 0

  // Nothing is more than `before`.
  bool IsWithin(const Footprint& before) const;

  // Numbers, for a process that is asked what it holds.
  std::string ToLine() const;
  // False if `line` is none.
  bool FromLine(absl::string_view line);
};
bool operator==(const Footprint& a, const Footprint& b);
std::ostream& operator<<(std::ostream& out, const Footprint& footprint);

// Of the calling process.
Footprint OwnFootprint();
// Of another one. Linux alone.
Footprint FootprintOf(uint32_t pid);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_FOOTPRINT_H_
