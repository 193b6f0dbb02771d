// Ends this process at a store point (transport/platform/store_point.h).
//
//   ArmKill("ring.published 3");   // at the third of that name
//   ArmKill("any 1000");           // at the thousandth of all
//   ArmKill("none");               // at none: only counts
//   ... the process dies, having written "died ring.published" to its stdout
//   SendLine(CountedPoints());     // else: "counts ring.published=12,..."
//
// The end is the system's own (SIGKILL, TerminateProcess): no destructor, no
// exit handler, no flushing.
//
// Thread rule: ArmKill once, before the first point; then any thread.

#ifndef SHMRPC_TESTS_DEATH_KILL_AT_H_
#define SHMRPC_TESTS_DEATH_KILL_AT_H_

#include <string>
#include <vector>

namespace shmrpc {
namespace testing {

// Of all store points in the sources of this system, sorted: read out of the
// sources when this was built.
const std::vector<std::string>& StorePointNames();

void ArmKill(const std::string& where);
std::string CountedPoints();

// The system's way to end a process at once.
void EndThisProcess();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_KILL_AT_H_
