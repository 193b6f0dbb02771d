// Calls without deadline that stay open, of which each must end when the server
// dies and none may end before.
//
//   HeldCalls held(target, "name");
//   held.AwaitHeld();                       // their handlers run
//   ... the server is killed ...
//   std::string wrong = held.ExpectKilled();   // "": as it should be
//
// They are a unary call, a stream whose reader waits, one whose writer waits
// for room, and one with messages that arrived and are read after the end.
//
// Thread rule: one thread. Ownership: ends its calls and threads, whatever
// happened. Failures: in words, as this runs in processes of no test.

#ifndef SHMRPC_TESTS_DEATH_HELD_CALLS_H_
#define SHMRPC_TESTS_DEATH_HELD_CALLS_H_

#include <cstdint>
#include <memory>
#include <string>

namespace shmrpc {
namespace testing {

class HeldCalls {
 public:
  // `name`: of their scripts, and ArrivedName() of it of the last one's. The
  // server's report under these names tells how many handlers began and ended.
  HeldCalls(const std::string& target, const std::string& name);
  ~HeldCalls();

  static std::string ArrivedName(const std::string& name);

  // Until all handlers run, or all calls have ended because the server died.
  void AwaitHeld();

  // The server was killed: all end with UNAVAILABLE by themselves, what had
  // arrived is read.
  std::string ExpectKilled();
  // It lives: none has ended; cancelled, they end with CANCELLED.
  std::string ExpectAlive();
  // It was told to stop: they end by themselves, with UNAVAILABLE or CANCELLED.
  std::string ExpectStopped();

  // After these: when the last that was blocked ended, in nanoseconds of the
  // machine's monotonic clock. 0: none was blocked.
  int64_t ended_ns() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_HELD_CALLS_H_
