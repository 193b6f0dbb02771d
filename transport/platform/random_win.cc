#include <windows.h>
// After windows.h, which it needs.
#include <bcrypt.h>

#include <cstdio>
#include <cstdlib>

#include "transport/platform/random.h"

namespace shmrpc {
namespace platform {

uint64_t RandomBits() {
  uint64_t bits = 0;
  const NTSTATUS status =
      BCryptGenRandom(nullptr, reinterpret_cast<PUCHAR>(&bits), sizeof(bits),
                      BCRYPT_USE_SYSTEM_PREFERRED_RNG);
  if (status < 0) {
    // Documented not to happen; guessable names would break the promise of
    // this header.
    std::fprintf(stderr, "shmrpc: BCryptGenRandom failed (0x%08lx)\n",
                 static_cast<unsigned long>(status));
    std::abort();
  }
  return bits;
}

}  // namespace platform
}  // namespace shmrpc
