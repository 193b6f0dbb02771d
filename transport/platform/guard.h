// Touching shared memory without dying of it. A read or write of a mapped view
// can fault: a Linux peer truncates the object, tmpfs fills up, Windows cannot
// page in. A fault inside one of our views ends the guarded function's effect,
// not the process; a fault anywhere else goes where it would go without us.
//
//   uint64_t word = 0;
//   if (!Guarded(view, [&] { word = *reinterpret_cast<uint64_t*>(view.data());
//   }))
//     return absl::DataLossError("...");
//
// Windows: `f` runs below a __try; a fault unwinds out of it at once, and
// destructors of frames between are NOT run. So `f` must not own anything: no
// locks, no half-built objects that are kept. It copies, probes, or parses into
// a message that is leaked on a fault.
// Linux: the SIGBUS handler replaces the whole view by zero pages, marks it
// poisoned and continues: `f` runs to its end on zeros, then Guarded returns
// false. The handler chains to the one installed before it.
//
// Thread rule: any thread, re-entrant. Lock-free apart from a thread's first
// call, which unblocks SIGBUS for it.

#ifndef SHMRPC_TRANSPORT_PLATFORM_GUARD_H_
#define SHMRPC_TRANSPORT_PLATFORM_GUARD_H_

#include <memory>
#include <type_traits>

#include "transport/platform/mapping.h"

namespace shmrpc {
namespace platform {

// True where a fault unwinds out of the guarded function (Windows), false where
// it continues on zero pages (Linux).
extern const bool kGuardUnwinds;

// Calls fn(arg). False if `view` is poisoned afterwards, or fn was cut short by
// a fault in any view.
bool GuardedCall(const View& view, void (*fn)(void*), void* arg);

template <class F>
bool Guarded(const View& view, F&& f) {
  using T = std::remove_reference_t<F>;
  return GuardedCall(
      view, [](void* p) { (*static_cast<T*>(p))(); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_GUARD_H_
