// What a handler knows of the call it serves, beside the request.
//
// Lives as long as the handler runs.

#ifndef SHMRPC_SERVER_CONTEXT_H_
#define SHMRPC_SERVER_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "shmrpc/time.h"

namespace shmrpc {
namespace internal {
class ServerContextAccess;
class ServerCallState;
}  // namespace internal

class ServerContext {
 public:
  ServerContext() = default;
  ~ServerContext() = default;
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  // time_point::max() if the client set none.
  std::chrono::system_clock::time_point deadline() const {
    return internal::SystemTime(deadline_ns_);
  }

  // True once nobody waits for the reply: the client gave up at its deadline,
  // or died, or the server is shutting down past its limit. Any thread.
  bool IsCancelled() const;

  // "shm:greeter/1234": the server's name and the client's pid.
  std::string peer() const;

 private:
  friend class internal::ServerContextAccess;
  int64_t deadline_ns_ = internal::kInfiniteFutureNs;
  internal::ServerCallState* call_ = nullptr;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVER_CONTEXT_H_
