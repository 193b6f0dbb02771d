// A server of the soak, in a process of its own, as the test sees it.
//
//   SoakServer server(NewTarget(), environment);
//   Consumption consumption = server.Look();
//   server.Restart(Stop::kKill, 0);
//
// What goes wrong is in wrong(). The destructor shuts it down.
//
// Thread rule: any; one that asks while the server is restarted waits.

#ifndef SHMRPC_TESTS_SOAK_SOAK_SERVER_H_
#define SHMRPC_TESTS_SOAK_SOAK_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/soak/consumption.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {

enum class Stop { kKill, kShutDown, kShutDownByDeadline };

class SoakServer {
 public:
  SoakServer(std::string target, Subprocess::Environment environment);
  ~SoakServer();
  SoakServer(const SoakServer&) = delete;
  SoakServer& operator=(const SoakServer&) = delete;

  const std::string& target() const { return target_; }

  Consumption Look() ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a client that has ended.
  void Forget(const std::string& client) ABSL_LOCKS_EXCLUDED(mutex_);
  void Restart(Stop stop, int grace_ms) ABSL_LOCKS_EXCLUDED(mutex_);
  // Shut down, and checked: every handler that began has ended. Not after that.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);
  // Handlers that began and that ended, if nobody restarted it.
  void CountHandlers(int64_t* begun, int64_t* ended)
      ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<std::string> wrong() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Start() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShutDown(absl::string_view command)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The answer without its first word, which has to be `word`.
  std::string Ask(absl::string_view command, absl::string_view word)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(absl::string_view numbers, int64_t* begun, int64_t* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string target_;
  const Subprocess::Environment environment_;
  mutable absl::Mutex mutex_;
  std::unique_ptr<Subprocess> process_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> wrong_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_SOAK_SERVER_H_
