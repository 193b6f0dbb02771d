// Is an address in one of this process's views of shared memory? For tests of
// what a parser was given.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_IN_VIEW_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_IN_VIEW_H_

#include <cstdint>

#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace testing {

inline bool InSharedMemory(const void* address) {
  platform::AddressRange range;
  return platform::FindView(reinterpret_cast<uintptr_t>(address), &range) >= 0;
}

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_IN_VIEW_H_
