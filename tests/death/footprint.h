// What a server and its system hold, to be compared before and after a death.
//
//   const Footprint before = FootprintOf(&server);
//   ... a client comes and dies ...
//   ExpectBackTo(before, &server);
//
// Thread rule: one thread.

#ifndef SHMRPC_TESTS_DEATH_FOOTPRINT_H_
#define SHMRPC_TESTS_DEATH_FOOTPRINT_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/death/peers.h"

namespace shmrpc {
namespace testing {

struct Footprint {
  uint64_t mapped_bytes = 0;  // of shared memory, by the server
  uint64_t handlers = 0;      // that run
  // Linux alone; elsewhere names and memory live no longer than their holders.
  int descriptors = 0;
  std::vector<std::string> names;  // of this library's objects
};
std::ostream& operator<<(std::ostream& out, const Footprint& footprint);

Footprint FootprintOf(DeathServer* server);

// Within a minute nothing is held that was not then. What a client leaves that
// nobody knew of yet is removed by the next server that starts: so one is
// started, if there are such names. Returns how many there were.
int ExpectBackTo(const Footprint& before, DeathServer* server);

// Starts a server in this process and ends it: the names of objects that the
// dead left are free again.
void RemoveLeftNames();
// No object of this library has a name.
void ExpectNoNames();

// By the system: open descriptors of a process; 0 where that is not known.
int DescriptorsOf(uint32_t pid);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_FOOTPRINT_H_
