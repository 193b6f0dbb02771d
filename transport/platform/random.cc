#include "transport/platform/random.h"

namespace shmrpc {
namespace platform {

std::string RandomName() {
  std::string name;
  for (int half = 0; half < 2; ++half) {
    const uint64_t bits = RandomBits();
    for (int shift = 60; shift >= 0; shift -= 4) {
      name.push_back("0123456789abcdef"[(bits >> shift) & 15]);
    }
  }
  return name;
}

}  // namespace platform
}  // namespace shmrpc
