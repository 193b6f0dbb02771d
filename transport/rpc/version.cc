#include "shmrpc/version.h"

namespace shmrpc {

std::string Version() { return SHMRPC_VERSION_STRING; }

}  // namespace shmrpc
