// A soak: a server that stays, one that is killed or restarted now and then,
// and client processes that come and go, for a chosen time.
//
//   Soak soak(options);
//   soak.Run();
//   for (const std::string& what : soak.wrong()) ADD_FAILURE() << what;
//   std::cout << soak.Report();
//
// The time has rounds. In a round, one client stays and `coming_clients` others
// come and go: end in peace, exit in the middle of their calls, or are killed.
// At the end of a round all that go have gone, and what the server and the
// client that stayed take is looked at (flatness.h); the first round warms up.
//
// Thread rule: one thread. Ownership: of its processes. Failures are collected.

#ifndef SHMRPC_TESTS_SOAK_SOAK_H_
#define SHMRPC_TESTS_SOAK_SOAK_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/soak/flatness.h"
#include "tests/soak/soak_server.h"
#include "tests/soak/tally.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {

struct SoakOptions {
  int seconds = 20;
  uint64_t seed = 0;
  int coming_clients = 2;  // at a time
  int largest_bits = 26;   // payloads of the client that stays, at the most
  FlatnessLimits limits;
};

class Soak {
 public:
  explicit Soak(const SoakOptions& options);
  ~Soak();
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  void Run();

  const std::vector<std::string>& wrong() const { return wrong_; }
  const Tally& tally() const { return tally_; }
  std::string Report() const;

 private:
  using Clock = std::chrono::steady_clock;
  // How a client's life ends, unless the round does first.
  enum class Life { kPeace, kExit, kKill };
  struct Lives {
    int clients = 0, in_peace = 0, exited = 0, killed = 0;
    int server_kills = 0, server_shutdowns = 0;
  };

  void RunRound(Clock::duration length);
  void Rest();
  // What `look` says when everything is given back, or after a minute.
  Consumption Settled(const Flatness& flat,
                      const std::function<Consumption()>& look);
  // What the client that stays has now that it rests.
  Consumption LookAtResident();
  void ResidentRound();
  void ComeAndGo(uint64_t seed);
  void OneClient(std::mt19937_64* random);
  void RestartNowAndThen(uint64_t seed);

  bool Over() const { return Clock::now() >= round_end_; }
  double Second() const;
  Subprocess StartClient(const std::string& name, uint64_t seed,
                         int largest_bits);
  // Adds up a client's line. True: it waits for an answer.
  bool Take(const std::string& line, bool cut_off) ABSL_LOCKS_EXCLUDED(mutex_);
  void Wrong(std::string what) ABSL_LOCKS_EXCLUDED(mutex_);

  const SoakOptions options_;
  const Subprocess::Environment environment_;
  const Clock::time_point begin_;
  std::mt19937_64 random_;
  SoakServer server_;
  SoakServer other_;  // restarted
  std::unique_ptr<Subprocess> resident_;
  bool resident_rests_ = false;
  Flatness server_flat_;
  Flatness resident_flat_;
  Clock::time_point round_end_;
  int64_t handlers_ = 0;

  absl::Mutex mutex_;  // of what threads of a round write
  int next_client_ ABSL_GUARDED_BY(mutex_) = 0;
  Tally tally_;
  Lives lives_;
  std::vector<std::string> wrong_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_SOAK_H_
