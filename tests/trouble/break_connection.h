// Takes the memory away from under a connection, as a hostile process of the
// same user or a system out of memory can.

#ifndef SHMRPC_TESTS_TROUBLE_BREAK_CONNECTION_H_
#define SHMRPC_TESTS_TROUBLE_BREAK_CONNECTION_H_

#include <cstdint>
#include <string>
#include <vector>

namespace shmrpc {
namespace testing {

// Every connection object of the server `server_pid` faults from now on. Linux:
// they are truncated, for both sides. Windows: this process's views of
// connection objects are made inaccessible. Returns how many.
int BreakConnections(uint32_t server_pid);

enum class Memory {
  kIdentity,       // of the server
  kSlots,          // of the server
  kConnection,     // connection objects
  kClientSegment,  // arena segments of the client
  kServerSegment,  // arena segments of the server
};
constexpr Memory kMemories[] = {Memory::kIdentity, Memory::kSlots,
                                Memory::kConnection, Memory::kClientSegment,
                                Memory::kServerSegment};
const char* MemoryName(Memory what);

// Can it be broken at all? Linux: yes. Windows: what the calling process has
// mapped can, and nobody keeps an identity mapped.
bool CanBreak(Memory what);

// Who can: Linux, any process of the user; Windows, those that map it.
enum class Breaker { kThirdProcess, kClient, kServer };
std::vector<Breaker> Breakers();

// As BreakConnections, for any of them. `target`: "shm:name". Linux: all such
// objects, of both processes, truncated by the calling process. Windows: the
// views of the calling process, one of the two; segments of either side look
// alike there, and are all broken. Returns how many.
int Break(Memory what, const std::string& target, uint32_t server_pid,
          uint32_t client_pid);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_TROUBLE_BREAK_CONNECTION_H_
