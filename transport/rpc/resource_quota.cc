#include "shmrpc/resource_quota.h"

#include <algorithm>
#include <memory>
#include <string>

#include "transport/rpc/resource_limits.h"

namespace shmrpc {

ResourceQuota::ResourceQuota()
    : limits_(std::make_shared<internal::ResourceLimits>()) {}

ResourceQuota::ResourceQuota(const std::string&) : ResourceQuota() {}

ResourceQuota& ResourceQuota::Resize(size_t new_size_bytes) {
  limits_->memory()->SetLimit(new_size_bytes);
  return *this;
}

ResourceQuota& ResourceQuota::SetMaxThreads(int new_max_threads) {
  limits_->set_max_threads(std::max(new_max_threads, 1));
  return *this;
}

}  // namespace shmrpc
