#include "tests/death/footprint.h"
#include "tests/trouble/proc_linux.h"

namespace shmrpc {
namespace testing {

int DescriptorsOf(uint32_t pid) { return HoldingsOf(pid).descriptors; }

}  // namespace testing
}  // namespace shmrpc
