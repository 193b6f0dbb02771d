// A process of its own for a test, talked to through its stdin and stdout.
//
//   Subprocess server = SpawnRole("server", {name});  // this program again
//   EXPECT_EQ(server.ReadLine(), "ready");            // instead of sleeping
//   server.Kill();                                    // as SIGKILL does
//   EXPECT_FALSE(server.Wait().ok());
//
// Failures that can only be a broken test or machine (no such program, no pipe)
// abort the test program with a message. A child that stays silent is ended by
// a watchdog. Its stderr is the test's.
//
// Thread rule: one thread at a time; Kill from any. Ownership: the destructor
// kills a child that still runs and waits for it.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_SUBPROCESS_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_SUBPROCESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {

struct ExitStatus {
  int code = -1;   // the exit code; -1 if ended by a signal
  int signal = 0;  // Linux: the signal that ended it; 0 on Windows

  // Ended by itself with exit code 0.
  bool ok() const { return signal == 0 && code == 0; }
};

class Subprocess {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  // Starts `program` with this process's environment plus `environment`.
  Subprocess(const std::string& program, const std::vector<std::string>& args,
             const Environment& environment = {});
  Subprocess(Subprocess&&) noexcept;
  Subprocess& operator=(Subprocess&&) noexcept;
  ~Subprocess();

  uint32_t pid() const;

  // The next line of its stdout without its end; nullopt once it has closed
  // stdout (usually: ended) and all is read. Aborts after `timeout_s`.
  absl::optional<std::string> ReadLine(int timeout_s = kWatchdogSeconds);

  // To its stdin. False if it has closed it or ended.
  bool WriteLine(absl::string_view line);
  void CloseStdin();

  // Ends it at once; it cleans up nothing. Windows: exit code 137.
  void Kill();

  // Waits for its end; may be called again. Aborts after `timeout_s`.
  ExitStatus Wait(int timeout_s = kWatchdogSeconds);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The path of the running program.
std::string SelfExecutable();

// This program again, in the role `name` (role.h).
Subprocess SpawnRole(absl::string_view name,
                     const std::vector<std::string>& args = {},
                     const Subprocess::Environment& environment = {});

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_SUBPROCESS_H_
