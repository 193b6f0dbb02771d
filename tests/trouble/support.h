// What the tests of bad input and trouble share: an echo server in a process of
// its own, calls to it, and the check that nothing stays behind.
//
//   EchoServer server(UniqueName("trouble"));
//   EchoClient client(server.name());
//   EchoRequest held = HeldRequest();             // runs until cancelled
//   std::thread caller([&] { status = client.Call(held); });
//   server.AwaitCalls(1);                         // the handler runs
//   server.Kill();
//
// Link main.cc with it. Thread rule: EchoServer by one thread at a time,
// EchoClient by any number. Failures: as Subprocess, a broken machine aborts
// the test.

#ifndef SHMRPC_TESTS_TROUBLE_SUPPORT_H_
#define SHMRPC_TESTS_TROUBLE_SUPPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/echo.pb.h"
#include "proto/echo.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {

// Implements EchoService as proto/echo.proto says, serves commands from stdin
// (see support.cc), and ends cleanly when stdin ends. The body of the role
// "echo_server"; `extra` is offered each command that is not known here,
// `configure` the builder before it builds.
int RunEchoServer(const RoleArgs& args,
                  bool (*extra)(const std::string& command,
                                std::unique_ptr<Server>* server) = nullptr,
                  void (*configure)(const RoleArgs& args,
                                    ServerBuilder* builder) = nullptr);

// A server in a process of its own.
class EchoServer {
 public:
  // Serves "shm:" + name. `role`: another one that calls RunEchoServer;
  // `arguments`: its own, after the target.
  explicit EchoServer(std::string name, const std::string& role = "echo_server",
                      const Subprocess::Environment& environment = {},
                      const RoleArgs& arguments = {});

  // False if BuildAndStart returned null; error() is what it logged.
  bool started() const { return started_; }
  const std::string& error() const { return error_; }

  const std::string& name() const { return name_; }
  std::string target() const { return "shm:" + name_; }
  uint32_t pid() const { return process_.pid(); }
  Subprocess& process() { return process_; }

  // Waits until that many calls of Echo have begun since the start.
  void AwaitCalls(int count);
  // Waits for a log message that contains `text`; the whole message.
  std::string AwaitLog(const std::string& text);

  void Kill();      // and waits for the end
  void ShutDown();  // expects a clean end
  // Sends a command and returns the answering line.
  std::string Command(const std::string& command);

 private:
  std::string name_;
  Subprocess process_;
  bool started_ = false;
  std::string error_;
};

// A channel to a server, in this process.
class EchoClient {
 public:
  explicit EchoClient(const std::string& name, ChannelArguments arguments = {});
  // deadline_ms 0: none.
  Status Call(const EchoRequest& request, EchoReply* reply = nullptr,
              int64_t deadline_ms = 0);
  // A small call that must succeed.
  void ExpectWorks();
  void Reset();  // closes the channel

 private:
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<EchoService::Stub> stub_;
};

// The text of a request that is answered with what the handler knows of its
// caller, as DescribePeer says it.
constexpr char kWhoAmI[] = "who am I?";
// "user=1000 user_name=joe pid=77 start_time=5 identity=user"
std::string DescribePeer(const AuthContext& peer);

EchoRequest SmallRequest();
// Its handler runs until the call is cancelled or its client is gone.
EchoRequest HeldRequest();
// A payload of that many bytes, larger than what travels in the ring.
EchoRequest LargeRequest(int64_t payload_bytes);

// After processes were killed: a server that starts, under whatever name,
// removes the names they left. Checks that it does.
void ExpectNextServerReclaims();

// UNAVAILABLE, with all of `parts` in the message.
void ExpectUnavailable(const Status& status,
                       const std::vector<std::string>& parts);
void ExpectStatus(const Status& status, StatusCode code,
                  const std::vector<std::string>& parts);

// The name of the running program's file, as messages show it.
std::string ProgramName();

// What the tests see of /dev/shm is theirs alone: a fresh tmpfs in a mount
// namespace of this process and its children, of `size` at the most, as mount
// reads it; another one each time. False if that is not permitted, and where
// there is no /dev/shm (Windows).
bool EnterPrivateShm(const char* size = "512m");
bool HavePrivateShm();

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_TROUBLE_SUPPORT_H_
