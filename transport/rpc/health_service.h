// grpc.health.v1.Health, served by the runtime itself.
//
//   HealthService health;
//   method_table.AddService(health);
//   ...
//   health.EndWatches();  // the server shuts down
//
// Its messages are well-known types that look the same on the wire: each has
// one field, a string or an enum, with the number 1. So the runtime registers
// no type of grpc.health.v1, and a program may link those of proto/health.proto
// or of a copy of its own.
//
// Thread rule: any. Ownership: outlives the calls it serves.

#ifndef SHMRPC_TRANSPORT_RPC_HEALTH_SERVICE_H_
#define SHMRPC_TRANSPORT_RPC_HEALTH_SERVICE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/wrappers.pb.h"
#include "shmrpc/health_check_service_interface.h"
#include "shmrpc/server_context.h"
#include "shmrpc/service.h"
#include "shmrpc/status.h"
#include "shmrpc/sync_stream.h"
#include "transport/rpc/cond_var.h"

namespace shmrpc {
namespace internal {

class HealthService final : public Service, public HealthCheckServiceInterface {
 public:
  // As HealthCheckRequest and HealthCheckResponse.
  using Request = google::protobuf::StringValue;
  using Response = google::protobuf::Int32Value;
  // HealthCheckResponse.ServingStatus.
  enum ServingStatus { kServing = 1, kNotServing = 2, kServiceUnknown = 3 };

  HealthService();

  // HealthCheckServiceInterface:
  void SetServingStatus(const std::string& service_name, bool serving) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SetServingStatus(bool serving) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Shutdown() override ABSL_LOCKS_EXCLUDED(mutex_);

  // Shutdown; and all watches, those to come as well, end once they have told
  // so.
  void EndWatches() ABSL_LOCKS_EXCLUDED(mutex_);

  // The methods.
  Status Check(ServerContext* context, const Request* request,
               Response* response) ABSL_LOCKS_EXCLUDED(mutex_);
  Status Watch(ServerContext* context, const Request* request,
               ServerWriter<Response>* writer) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Watcher;

  ServingStatus StatusOf(const std::string& service_name) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void SetAll(ServingStatus status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  CondVar news_;  // for the watches; any change
  absl::flat_hash_map<std::string, ServingStatus> statuses_
      ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  bool watches_end_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_HEALTH_SERVICE_H_
