// For builds with ThreadSanitizer. Its runtime holds a lock of its own during
// an atomic operation that releases; if the operation faults there, the first
// atomic of the fault handler waits for that lock forever. So the memory is
// touched first, by a plain access that the sanitizer does not see, and faults
// outside of its runtime. Other builds: nothing.

#ifndef SHMRPC_TRANSPORT_SHARED_MEMORY_TOUCH_H_
#define SHMRPC_TRANSPORT_SHARED_MEMORY_TOUCH_H_

#include "absl/base/attributes.h"
#include "absl/base/config.h"

namespace shmrpc {

#ifdef ABSL_HAVE_THREAD_SANITIZER
ABSL_ATTRIBUTE_NO_SANITIZE_THREAD ABSL_ATTRIBUTE_NOINLINE inline void
TouchBeforeAtomic(const volatile void* address) {
  (void)*static_cast<const volatile unsigned char*>(address);
}
#else
inline void TouchBeforeAtomic(const volatile void*) {}
#endif

}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_SHARED_MEMORY_TOUCH_H_
