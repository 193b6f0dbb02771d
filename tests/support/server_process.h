// A server in a process of its own, serving EchoService, Probe and Scripted.
//
//   ServerProcess server;  // with a name of its own
//   auto stub = EchoService::NewStub(NewChannel(server.target()));
//   ...
//   server.BeginShutdown(); ... server.AwaitDown();  // or just let it go
//
// The destructor shuts the server down and expects that this works, that the
// process ends with 0 and that none of its objects is left. Link
// //transport/platform/testing:test_main for main().
//
// Thread rule: one thread at a time; OpenGate and Kill from any.

#ifndef SHMRPC_TESTS_SUPPORT_SERVER_PROCESS_H_
#define SHMRPC_TESTS_SUPPORT_SERVER_PROCESS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "shmrpc/shmrpc.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {

struct ServerSettings {
  std::vector<std::string> targets;  // empty: one new name
  int max_receive_bytes = -1;
  int max_send_bytes = -1;
  int max_threads = 0;  // 0: as the builder has it
  ClientQuota quota;
  int max_connections = -1;
};

class ServerProcess {
 public:
  // Returns when clients can call.
  explicit ServerProcess(ServerSettings settings = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& target(size_t index = 0) const {
    return settings_.targets[index];
  }
  uint32_t pid() const { return process_.pid(); }

  // Has Server::Shutdown() called there; AwaitDown: until it returned.
  void BeginShutdown();
  // The same of Server::Shutdown(deadline), with one that far away.
  void BeginShutdown(std::chrono::milliseconds grace);
  void AwaitDown();

  // Opens a gate of Probe and of Scripted without a call.
  void OpenGate(const std::string& gate);

  // Ends the process at once and waits for its end. Its objects stay behind.
  void Kill();

 private:
  static ServerSettings Completed(ServerSettings settings);

  const ServerSettings settings_;
  absl::Mutex stdin_mutex_;
  Subprocess process_;
  bool killed_ = false;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_SERVER_PROCESS_H_
