// What a server and its system hold, to be compared before and after a death.
//
//   const ServerFootprint before = ServerFootprintOf(&server);
//   ... a client comes and dies ...
//   ExpectBackTo(before, &server);
//
// Thread rule: one thread.

#ifndef SHMRPC_TESTS_DEATH_SERVER_FOOTPRINT_H_
#define SHMRPC_TESTS_DEATH_SERVER_FOOTPRINT_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/death/peers.h"
#include "tests/support/footprint.h"

namespace shmrpc {
namespace testing {

struct ServerFootprint {
  Footprint process;
  uint64_t handlers = 0;  // that run
  // Of this library's objects. Linux alone; elsewhere they live no longer than
  // their holders.
  std::vector<std::string> names;
};
std::ostream& operator<<(std::ostream& out, const ServerFootprint& footprint);

ServerFootprint ServerFootprintOf(DeathServer* server);

// Within a minute nothing is held that was not then. What a client leaves that
// nobody knew of yet is removed by the next server that starts: so one is
// started, if there are such names. Returns how many there were.
int ExpectBackTo(const ServerFootprint& before, DeathServer* server);

// Starts a server in this process and ends it: the names of objects that the
// dead left are free again.
void RemoveLeftNames();
// No object of this library has a name.
void ExpectNoNames();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_SERVER_FOOTPRINT_H_
