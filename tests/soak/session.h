// A channel made, random calls over it from several threads, the books compared
// with the server's, the channel dropped.
//
//   SessionPlan plan = {"shm:soak", "client 3.7", seed};
//   std::vector<std::string> wrong;
//   tally.Add(RunSession(plan, &watch, &wrong));
//
// What is compared, call by call: a call that ended OK, or failed as its
// handler was told to, had exactly one handler, which has ended with that code;
// one that was given up by either side had one at the most, which has ended
// too; and the server knows of no other calls. If the server was another at the
// end than at the beginning, it may have run no handler of a call, and a call
// may have ended with UNAVAILABLE; else neither may.
//
// Thread rule: any, one session each.

#ifndef SHMRPC_TESTS_SOAK_SESSION_H_
#define SHMRPC_TESTS_SOAK_SESSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/soak/call_watch.h"
#include "tests/soak/ledger.pb.h"
#include "tests/soak/tally.h"
#include "tests/support/random_call.h"

namespace shmrpc {
namespace testing {

struct SessionPlan {
  std::string target;
  std::string name;  // no other session's: "CLIENT.SESSION"
  uint64_t seed = 0;
  int threads = 3;
  int calls = 20;  // of each thread
  CallMix mix;
  bool may_be_interrupted = false;  // the server may be restarted
};

// Appends to `wrong` what was not as it should be.
Tally RunSession(const SessionPlan& plan, CallWatch* watch,
                 std::vector<std::string>* wrong);

// A call that was made, as its caller saw it.
struct CallRecord {
  Ending ending = Ending::kWrong;
  int code = 0;  // that its handler returned if it got that far; -1: it threw
  std::string what;
};

// What of the server's accounts does not agree with `calls`, whose places are
// their numbers. `interrupted`: see above.
std::vector<std::string> Disagreements(const std::vector<CallRecord>& calls,
                                       const Settlement& settlement,
                                       bool interrupted);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_SESSION_H_
