// What all clients of a server may take of it together, under gRPC's name.
//
//   shmrpc::ResourceQuota quota("engine");
//   quota.Resize(512 << 20).SetMaxThreads(64);
//   builder.SetResourceQuota(quota);
//
// Servers that are given the same quota, or a copy of it, share its memory.
// ClientQuota has the limits of each client.
//
// Thread rule: any.

#ifndef SHMRPC_RESOURCE_QUOTA_H_
#define SHMRPC_RESOURCE_QUOTA_H_

#include <cstddef>
#include <memory>
#include <string>

namespace shmrpc {

namespace internal {
class ResourceLimits;
}  // namespace internal

class ResourceQuota {
 public:
  ResourceQuota();
  // The name is gRPC's, for its traces; it is not used.
  explicit ResourceQuota(const std::string& name);

  // Most memory in bytes that is held for clients; see
  // ClientQuota::max_memory_bytes for what counts. Less than is in use: nothing
  // is taken away, and nothing more is given until enough has come back.
  // Default: no limit.
  ResourceQuota& Resize(size_t new_size_bytes);

  // Most threads that run handlers of a server started afterwards, if less than
  // its SetMaxThreads. Of each server, where gRPC counts those of all together.
  // At least 1. Default: no limit.
  ResourceQuota& SetMaxThreads(int new_max_threads);

 private:
  friend class ServerBuilder;
  std::shared_ptr<internal::ResourceLimits> limits_;
};

}  // namespace shmrpc

#endif  // SHMRPC_RESOURCE_QUOTA_H_
