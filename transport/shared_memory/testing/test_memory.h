// What the tests of shared memory have in common.

#ifndef SHMRPC_TRANSPORT_SHARED_MEMORY_TESTING_TEST_MEMORY_H_
#define SHMRPC_TRANSPORT_SHARED_MEMORY_TESTING_TEST_MEMORY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "shmrpc/shared_memory.h"

namespace shmrpc {
namespace testing {

// A local name of this run alone, "shmrpc-test.<stem>.<unique>". What killed
// children leave under it goes with it.
class TestName {
 public:
  explicit TestName(absl::string_view stem);
  ~TestName();

  operator absl::string_view() const { return name_; }
  const std::string& plain() const { return name_; }
  std::string local() const { return "Local\\" + name_; }

 private:
  std::string name_;
};

// From now on the first touch of each page of `view` faults. Linux: its object,
// which has `plain_name`, is truncated to nothing, for every process. Windows:
// the pages are made inaccessible, in this one. Aborts if it cannot.
void MakeFault(absl::string_view plain_name, const MemoryView& view);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_SHARED_MEMORY_TESTING_TEST_MEMORY_H_
