#include "transport/platform/fork.h"

namespace shmrpc {
namespace platform {

uint32_t ForkGeneration() { return 0; }

}  // namespace platform
}  // namespace shmrpc
