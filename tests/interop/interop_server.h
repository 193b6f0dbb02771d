// InteropServiceImpl in a process of its own.
//
//   InteropServer server;                        // with a name of its own
//   auto stub = TestService::NewStub(CreateChannel(server.target(), ...));
//
// The destructor shuts it down and expects that this works. Link
// //transport/platform/testing:test_main for main().
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TESTS_INTEROP_INTEROP_SERVER_H_
#define SHMRPC_TESTS_INTEROP_INTEROP_SERVER_H_

#include <cstdint>
#include <string>

#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace interop {

class InteropServer {
 public:
  InteropServer();  // returns when clients can call
  ~InteropServer();
  InteropServer(const InteropServer&) = delete;
  InteropServer& operator=(const InteropServer&) = delete;

  const std::string& target() const { return target_; }

  // What the functions of InteropServiceImpl say, there and now.
  int64_t ResponsesBegun();
  void AwaitCancelled(int64_t count);

 private:
  const std::string target_;
  shmrpc::testing::Subprocess process_;
};

}  // namespace interop
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_INTEROP_INTEROP_SERVER_H_
