#include <dlfcn.h>

#include "transport/platform/module.h"

namespace shmrpc {
namespace platform {

void PinModule() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&PinModule), &info) == 0) return;
  // Only marks what is loaded already. For the program itself the name may not
  // be found, and need not be.
  (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace platform
}  // namespace shmrpc
