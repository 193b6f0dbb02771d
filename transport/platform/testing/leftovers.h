// What a test left behind: names of shared objects that outlive every process
// (files in /dev/shm). Windows keeps no such names: always empty there.
//
//   EXPECT_THAT(Leftovers("mytest."), IsEmpty());

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_LEFTOVERS_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_LEFTOVERS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace testing {

// The file names in /dev/shm that start with `prefix`, sorted. (Objects of
// Scope::kGlobal are called "global." + name there.)
std::vector<std::string> Leftovers(absl::string_view prefix);

// `stem` + "." + something no other test run uses: names for objects of tests,
// so that two runs on one machine do not meet.
std::string UniqueName(absl::string_view stem);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_LEFTOVERS_H_
