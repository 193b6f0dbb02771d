// The processes of a test of death: servers and clients that are killed, and
// those that must not mind.
//
//   DeathServer server(target);            // ScriptServiceImpl and EchoService
//   DeathClient client(target, "a");       // calls from a process of its own
//   client.Go(kSmall | kStreams, seed);    // held calls, and load
//   client.AwaitHeld();
//   server.Kill();
//   ... the next server ...
//   ClientReport report = client.Collect("killed");
//
// The answers are words, as an EXPECT in another process fails nothing. Whoever
// hangs is ended by a watchdog.
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TESTS_DEATH_PEERS_H_
#define SHMRPC_TESTS_DEATH_PEERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/footprint.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {

class DeathServer {
 public:
  // `role`: another one that calls RunDeathServer; `extra`: its arguments after
  // the target. Returns when clients can call, or the process has ended.
  explicit DeathServer(const std::string& target,
                       const std::string& role = "death_server",
                       const std::vector<std::string>& extra = {});

  bool started() const { return started_; }
  uint32_t pid() const { return process_.pid(); }
  Subprocess& process() { return process_; }

  // What it says that it holds, and how many handlers run.
  Footprint Look();
  uint64_t Running();
  // False: it has died.
  bool Alive();
  void Kill();      // and waits for the end
  void ShutDown();  // expects a clean end, without calls in flight
  // Shuts it down although calls are in flight; it may die on the way.
  ExitStatus Stop();

  // What it wrote beyond what was asked for; after its end. The first line
  // only if it did not start.
  std::vector<std::string> OtherLines();

 private:
  // Its answer to a command; "": it ended.
  std::string Ask(const std::string& command);

  Subprocess process_;
  bool started_ = false;
  std::vector<std::string> other_lines_;
};

// args: target, ... The body of such a role.
int RunDeathServer(const RoleArgs& args);

struct ClientReport {
  std::string wrong;     // "": all is well
  int64_t good = 0;      // calls of the load that were answered
  int64_t told = 0;      // calls of the load that ended with UNAVAILABLE
  int64_t late = 0;      // of those with a deadline, that ended at theirs
  int64_t ended_ns = 0;  // HeldCalls::ended_ns
};

class DeathClient {
 public:
  // `name`: of its scripts.
  DeathClient(const std::string& target, const std::string& name);

  uint32_t pid() const { return process_.pid(); }
  Subprocess& process() { return process_; }
  void Go(uint32_t loads, uint32_t seed);
  void AwaitHeld();
  // Load::AwaitProgress(more).
  void AwaitProgress(int64_t more = 0);
  // One run of the Scenario, to its end. "": as it should be.
  std::string RunScenario();
  // `what` became of the server: "killed", "alive" or "stopped". Afterwards the
  // client holds no shared memory, or `wrong` says so.
  ClientReport Collect(const std::string& what);
  void Kill();
  void ShutDown();  // expects a clean end

 private:
  // "wrong: it ended" if there is none.
  std::string Answer();

  std::string name_;
  int goes_ = 0;
  Subprocess process_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_PEERS_H_
