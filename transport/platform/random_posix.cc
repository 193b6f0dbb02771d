#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "transport/platform/random.h"

namespace shmrpc {
namespace platform {

uint64_t RandomBits() {
  uint64_t bits = 0;
  // Up to 256 bytes come whole or not at all; EINTR only before the kernel's
  // generator is seeded, early in the machine's boot.
  while (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) {
    if (errno == EINTR) continue;
    // No such system call (a seccomp filter): the device gives the same bytes.
    const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    const bool read_all =
        fd >= 0 && read(fd, &bits, sizeof(bits)) == sizeof(bits);
    if (fd >= 0) close(fd);
    if (read_all) break;
    // Guessable names would break the promise of this header.
    fprintf(stderr, "shmrpc: neither getrandom(2) nor /dev/urandom works\n");
    abort();
  }
  return bits;
}

}  // namespace platform
}  // namespace shmrpc
