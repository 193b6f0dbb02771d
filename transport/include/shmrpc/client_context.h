// What a client says about one call, beside its request.
//
//   shmrpc::ClientContext context;
//   context.set_deadline(std::chrono::system_clock::now() + 50ms);
//   shmrpc::Status status = stub->SayHello(&context, request, &response);
//
// One context serves one call; a second call with it fails with
// INVALID_ARGUMENT. It must outlive the call.

#ifndef SHMRPC_CLIENT_CONTEXT_H_
#define SHMRPC_CLIENT_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "shmrpc/time.h"

namespace shmrpc {
namespace internal {
class ClientContextAccess;
}  // namespace internal

class ClientContext {
 public:
  ClientContext() = default;
  ~ClientContext() = default;
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // The call returns DEADLINE_EXCEEDED, "Deadline Exceeded", if its status has
  // not arrived by then. T: a time_point of system_clock or steady_clock. The
  // distance is measured when this is called; later steps of the system clock
  // do not move it. Default: no deadline.
  template <typename T>
  void set_deadline(const T& deadline) {
    deadline_ns_ = internal::DeadlineNs(deadline);
  }

  // time_point::max() if none is set.
  std::chrono::system_clock::time_point deadline() const {
    return internal::SystemTime(deadline_ns_);
  }

  // "shm:greeter/1234": the server's name and pid, once the call was sent; ""
  // before.
  std::string peer() const { return peer_ == nullptr ? "" : *peer_; }

 private:
  friend class internal::ClientContextAccess;
  int64_t deadline_ns_ = internal::kInfiniteFutureNs;
  bool used_ = false;
  std::shared_ptr<const std::string> peer_;
};

}  // namespace shmrpc

#endif  // SHMRPC_CLIENT_CONTEXT_H_
