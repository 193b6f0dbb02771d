// One client's life from connecting to leaving, which comes by every store to
// shared memory that a client makes, and has its server come by every one that
// a server makes while it serves.
//
//   ScenarioSettings settings;
//   settings.target = server_target;
//   const std::string wrong = RunScenario(settings);   // "": as it should be
//
// Thread rule: any thread; runs to its end, or into the death of its process.

#ifndef SHMRPC_TESTS_DEATH_SCENARIO_H_
#define SHMRPC_TESTS_DEATH_SCENARIO_H_

#include <string>

namespace shmrpc {
namespace testing {

struct ScenarioSettings {
  std::string target;
  // A server that is there and takes no offers: connecting to it is given up.
  // Empty: left out.
  std::string deaf_target;
  // A name for memory and an event of its own. Empty: left out.
  std::string object_name;
  // Calls may end with UNAVAILABLE as well. The server is offered connections
  // that it refuses, too.
  bool server_may_die = false;
};

std::string RunScenario(const ScenarioSettings& settings);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_SCENARIO_H_
