#include "tests/trouble/break_connection.h"

namespace shmrpc {
namespace testing {

const char* MemoryName(Memory what) {
  switch (what) {
    case Memory::kIdentity:
      return "Identity";
    case Memory::kSlots:
      return "Slots";
    case Memory::kConnection:
      return "Connection";
    case Memory::kClientSegment:
      return "ClientSegment";
    case Memory::kServerSegment:
      return "ServerSegment";
  }
  return "";
}

}  // namespace testing
}  // namespace shmrpc
