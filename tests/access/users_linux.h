// Servers and clients that run as users of their own, in processes of their
// own. Only root can make them: tests skip themselves elsewhere
// (SkipIfNotRoot).
//
//   UserServer server(kServerUser, "666");            // mode of SetAccess
//   UserClient client(server.target(), kClientUser, {.server_user = "7001"});
//   EXPECT_EQ(client.Do("call 100"), "OK");
//
// Commands of a client, each answered with one line, "OK" or "CODE message":
//   call BYTES     an echo of that many bytes, compared
//   stream N BYTES a stream of N messages each way, compared
//   whoami         what the server's handler knows of this client
//   whois          what this client knows of the server
//   hold BYTES     begins an echo that is held until it is cancelled
//   held           waits for its end; its status
//   squat          takes the names of the first segments of every connection
//                  that there is, as far as they can be known
//   intrude        tries to open every connection object and segment there is;
//                  "opened NAME" for the first that it can, or "denied COUNT"
//   meddle NAME    tries to open that object for writing: "opened", "denied"
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TESTS_ACCESS_USERS_LINUX_H_
#define SHMRPC_TESTS_ACCESS_USERS_LINUX_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {

// Users and groups that no system has.
constexpr uid_t kServerUser = 70001;
constexpr uid_t kClientUser = 70002;
constexpr uid_t kThirdUser = 70003;
constexpr gid_t kSharedGroup = 70009;

// This process becomes that user, whose own group has the same number, and a
// member of `group` if that is not 0. False if it may not.
bool Become(uid_t user, gid_t group);

// An EchoServer, which serves Scripted, too. `mode` octal, "" the default;
// `group` 0: none.
class UserServer : public EchoServer {
 public:
  explicit UserServer(uid_t user, const std::string& mode = "", gid_t group = 0,
                      const std::string& name = UniqueName("access"));
};

class UserClient {
 public:
  struct Options {
    std::string server_user;
    gid_t group = 0;  // besides its own
  };
  UserClient(const std::string& target, uid_t user, const Options& options);
  UserClient(const std::string& target, uid_t user)
      : UserClient(target, user, Options()) {}

  std::string Do(const std::string& command);
  // A command that is not answered.
  void Begin(const std::string& command);
  uint32_t pid() const { return process_.pid(); }
  void Kill();
  void End();  // and expects a clean end

 private:
  Subprocess process_;
};

// The names in /dev/shm of objects of that user.
std::vector<std::string> ObjectsOf(uid_t user);

}  // namespace testing
}  // namespace shmrpc

#define SHMRPC_SKIP_IF_NOT_ROOT()                                             \
  if (!::shmrpc::testing::HavePrivateShm())                                   \
  GTEST_SKIP() << "this process cannot become other users, or may not mount " \
                  "a /dev/shm of its own; run it as root"

#endif  // SHMRPC_TESTS_ACCESS_USERS_LINUX_H_
