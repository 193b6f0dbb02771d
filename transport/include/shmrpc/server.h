// A running server; ServerBuilder::BuildAndStart makes it.

#ifndef SHMRPC_SERVER_H_
#define SHMRPC_SERVER_H_

#include <cstdint>
#include <memory>

#include "shmrpc/time.h"

namespace shmrpc {

class HealthCheckServiceInterface;

class Server {
 public:
  // Shuts down first, if that has not happened.
  virtual ~Server() = default;

  // Stops taking new calls (they fail with UNAVAILABLE), waits for those in
  // flight, which end as they would have, and frees the server's names. Calling
  // it again waits for the first one to end. Not from within a handler.
  void Shutdown() { ShutdownBy(internal::kInfiniteFutureNs); }

  // The same, but calls still in flight at the deadline are cancelled: they end
  // with UNAVAILABLE, "Cancelling all calls", and their handlers see
  // IsCancelled(). It still returns only when the handlers have. T: as
  // ClientContext::set_deadline.
  template <typename T>
  void Shutdown(const T& deadline) {
    ShutdownBy(internal::DeadlineNs(deadline));
  }

  // Returns once the server was shut down, by another thread.
  virtual void Wait() = 0;

  // The server's; null unless it was built while
  // DefaultHealthCheckServiceEnabled(). See health_check_service_interface.h.
  virtual HealthCheckServiceInterface* GetHealthCheckService() const = 0;

 protected:
  Server() = default;

 private:
  virtual void ShutdownBy(int64_t deadline_ns) = 0;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVER_H_
