// The server behind shmrpc::Server: lobby, acceptor and poller, put together.

#ifndef SHMRPC_TRANSPORT_RPC_SERVER_H_
#define SHMRPC_TRANSPORT_RPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/server.h"
#include "shmrpc/service.h"
#include "transport/link/accept.h"
#include "transport/link/address.h"
#include "transport/link/client_quotas.h"
#include "transport/link/lobby.h"
#include "transport/platform/access_policy.h"
#include "transport/rpc/health_service.h"
#include "transport/rpc/poller.h"
#include "transport/rpc/server_connection.h"

namespace shmrpc {
namespace internal {

struct ServerOptions {
  std::vector<link::Address> addresses;  // at least one
  std::vector<Service*> services;
  int max_receive_bytes = 0;  // -1: no limit
  int max_send_bytes = 0;     // -1: no limit
  int max_threads = 1;        // that run handlers
  platform::AccessPolicy access;
  bool health_service = false;
  link::ClientQuotas::Limits quotas;
  bool copy_before_parse = false;
};

class LocalServer final : public Server {
 public:
  // ALREADY_EXISTS for a name or a method that is taken; the system's errors.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options);
  ~LocalServer() override;

  void Wait() override ABSL_LOCKS_EXCLUDED(mutex_);
  HealthCheckServiceInterface* GetHealthCheckService() const override {
    return health_.get();
  }

 private:
  LocalServer();
  void ShutdownBy(int64_t deadline_ns) override ABSL_LOCKS_EXCLUDED(mutex_);
  // This is a forked copy: threads, names and connections are the parent's.
  bool Inherited() const;
  absl::Status AddServices(const ServerOptions& options);
  absl::Status OnAccepted(link::Acceptor::Accepted accepted);
  void AwaitDelivery();

  const uint32_t fork_generation_;
  std::unique_ptr<HealthService> health_;  // may be null
  ServerCore core_;
  // In this order: each is used by the ones after it.
  std::unique_ptr<link::Lobby> lobby_;
  std::unique_ptr<link::ClientQuotas> quotas_;
  std::unique_ptr<Poller> poller_;
  std::unique_ptr<link::Acceptor> acceptor_;

  enum class Phase { kServing, kDraining, kDown };
  absl::Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kServing;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_H_
