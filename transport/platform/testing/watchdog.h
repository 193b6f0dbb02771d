// Ends a test that hangs, loudly.
//
//   Watchdog dog(60, "waiting for the server's line");
//   ...  // must be through in 60 seconds
//
// If it still exists when the time is over, it prints its message to stderr and
// aborts the process. It is there to turn a hang into a failure, never to
// assert how fast something is: leave its limit generous.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_WATCHDOG_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_WATCHDOG_H_

#include <memory>
#include <string>

namespace shmrpc {
namespace testing {

constexpr int kWatchdogSeconds = 60;

class Watchdog {
 public:
  explicit Watchdog(int timeout_s = kWatchdogSeconds, std::string what = "");
  ~Watchdog();  // called off
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_WATCHDOG_H_
