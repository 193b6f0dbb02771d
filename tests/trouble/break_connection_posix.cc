#include <unistd.h>

#include "tests/support/truncate_objects_linux.h"
#include "tests/trouble/break_connection.h"
#include "transport/link/address.h"
#include "transport/link/lobby.h"

namespace shmrpc {
namespace testing {
namespace {

// Larger than any connection object.
constexpr int64_t kSegmentBytes = 256 * 1024;

int TruncateNamed(const platform::ObjectName& name) {
  return truncate(name.OsName().c_str(), 0) == 0 ? 1 : 0;
}

}  // namespace

int BreakConnections(uint32_t server_pid) {
  return TruncateObjects(server_pid, "/dev/shm/shmrpc.conn.");
}

std::vector<Breaker> Breakers() { return {Breaker::kThirdProcess}; }

bool CanBreak(Memory) { return true; }

int Break(Memory what, const std::string& target, uint32_t server_pid,
          uint32_t client_pid) {
  const auto address = link::ParseAddress(target);
  if (!address.ok()) return -1;
  switch (what) {
    case Memory::kIdentity:
      return TruncateNamed(address->IdentityName());
    case Memory::kSlots: {
      const auto server = link::ReadIdentity(*address);
      if (!server.ok()) return -1;
      return TruncateNamed(
          link::SlotsName(server->slots_scope, server->slots_nonce));
    }
    case Memory::kConnection:
      return BreakConnections(server_pid);
    // Only their creators have descriptors of them.
    case Memory::kClientSegment:
      return TruncateObjects(client_pid, "/dev/shm/", kSegmentBytes);
    case Memory::kServerSegment:
      return TruncateObjects(server_pid, "/dev/shm/", kSegmentBytes);
  }
  return -1;
}

}  // namespace testing
}  // namespace shmrpc
