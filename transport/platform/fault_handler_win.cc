#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace platform {

// Faults are caught by the __except filter around each guarded call
// (guard_win.cc): nothing outside it is intercepted.
void InstallFaultHandler() {}

}  // namespace platform
}  // namespace shmrpc
