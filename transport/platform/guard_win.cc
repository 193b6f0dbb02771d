#include <windows.h>

#include "absl/base/attributes.h"
#include "transport/platform/guard.h"
#include "transport/platform/view_registry.h"

// libstdc++ defines __try as `try`; clang understands the real one.
#undef __try

namespace shmrpc {
namespace platform {
namespace {

// Ours are faults of memory, at an address within one of our views. Everything
// else, a null pointer in `fn` included, goes on to whoever handles it.
ABSL_ATTRIBUTE_NOINLINE int Filter(const EXCEPTION_POINTERS* pointers) {
  const EXCEPTION_RECORD* const record = pointers->ExceptionRecord;
  if (record->ExceptionCode != EXCEPTION_ACCESS_VIOLATION &&
      record->ExceptionCode != EXCEPTION_IN_PAGE_ERROR) {
    return EXCEPTION_CONTINUE_SEARCH;
  }
  if (record->NumberParameters < 2) return EXCEPTION_CONTINUE_SEARCH;
  AddressRange range;
  // [0] is how (read, write, execute), [1] is where.
  const int view = FindView(record->ExceptionInformation[1], &range);
  if (view < 0) return EXCEPTION_CONTINUE_SEARCH;
  PoisonView(view);
  return EXCEPTION_EXECUTE_HANDLER;
}

// Nothing but the call stands in the __try: clang covers calls only, and a
// C++ object here would be destroyed twice.
ABSL_ATTRIBUTE_NOINLINE bool CallBelowTry(void (*fn)(void*), void* arg) {
  __try {
    fn(arg);
    return true;
  } __except (Filter(GetExceptionInformation())) {
    return false;
  }
}

}  // namespace

const bool kGuardUnwinds = true;

bool GuardedCall(const View& view, void (*fn)(void*), void* arg) {
  return CallBelowTry(fn, arg) && !view.poisoned();
}

}  // namespace platform
}  // namespace shmrpc
