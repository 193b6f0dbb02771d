#include "shmrpc/server_builder.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "shmrpc/health_check_service_interface.h"
#include "transport/link/client_quotas.h"
#include "transport/log/log.h"
#include "transport/rpc/resource_limits.h"
#include "transport/rpc/server.h"

namespace shmrpc {
namespace {

uint32_t Limit(int limit) {
  return limit < 0 ? UINT32_MAX : static_cast<uint32_t>(limit);
}

link::ClientQuotas::Limits QuotasFrom(const ClientQuota& quota,
                                      int max_threads) {
  link::ClientQuotas::Limits limits;
  limits.client_connections = Limit(quota.max_connections);
  limits.client_memory_bytes =
      quota.max_memory_bytes < 0
          ? UINT64_MAX
          : static_cast<uint64_t>(quota.max_memory_bytes);
  limits.client_calls = Limit(quota.max_calls);
  if (quota.max_calls == 0) {
    // Of a few threads there is no share to keep.
    limits.client_calls =
        Limit(max_threads < 16 ? -1 : max_threads - max_threads / 16);
  }
  return limits;
}

}  // namespace

ServerBuilder& ServerBuilder::AddListeningPort(
    const std::string& address,
    const std::shared_ptr<ServerCredentials>& credentials, int* selected_port) {
  ports_.push_back({address, credentials, selected_port});
  return *this;
}

ServerBuilder& ServerBuilder::RegisterService(Service* service) {
  services_.push_back(service);
  return *this;
}

ServerBuilder& ServerBuilder::SetMaxReceiveMessageSize(int size_bytes) {
  max_receive_ = size_bytes;
  return *this;
}

ServerBuilder& ServerBuilder::SetMaxSendMessageSize(int size_bytes) {
  max_send_ = size_bytes;
  return *this;
}

ServerBuilder& ServerBuilder::RegisterService(const std::string&,
                                              Service* service) {
  return RegisterService(service);
}

ServerBuilder& ServerBuilder::SetMaxThreads(int max_threads) {
  max_threads_ = std::max(max_threads, 1);
  return *this;
}

ServerBuilder& ServerBuilder::SetClientQuota(const ClientQuota& quota) {
  client_quota_ = quota;
  return *this;
}

ServerBuilder& ServerBuilder::SetMaxConnections(int max_connections) {
  max_connections_ = max_connections;
  return *this;
}

ServerBuilder& ServerBuilder::SetResourceQuota(
    const ResourceQuota& resource_quota) {
  resource_quota_ = resource_quota;
  return *this;
}

ServerBuilder& ServerBuilder::SetCopyBeforeParse(bool copy) {
  copy_before_parse_ = copy;
  return *this;
}

ServerBuilder& ServerBuilder::SetAccess(const AccessControl& access) {
  access_ = access;
  return *this;
}

ServerBuilder& ServerBuilder::SetSyncServerOption(SyncServerOption option,
                                                  int value) {
  sync_options_[option] = value;
  return *this;
}

ServerBuilder& ServerBuilder::SetCompressionAlgorithmSupportStatus(
    grpc_compression_algorithm algorithm, bool enabled) {
  compression_support_[algorithm] = enabled;
  return *this;
}

ServerBuilder& ServerBuilder::SetDefaultCompressionLevel(
    grpc_compression_level level) {
  compression_level_ = level;
  return *this;
}

ServerBuilder& ServerBuilder::SetDefaultCompressionAlgorithm(
    grpc_compression_algorithm algorithm) {
  compression_algorithm_ = algorithm;
  return *this;
}

ServerBuilder& ServerBuilder::AddChannelArgument(const std::string& key,
                                                 int value) {
  if (key == "grpc.max_receive_message_length") max_receive_ = value;
  if (key == "grpc.max_send_message_length") max_send_ = value;
  return *this;
}

ServerBuilder& ServerBuilder::AddChannelArgument(const std::string&,
                                                 const std::string&) {
  return *this;  // no known key takes a text
}

std::unique_ptr<Server> ServerBuilder::BuildAndStart() {
  internal::ServerOptions options;
  options.services = services_;
  options.max_receive_bytes = max_receive_;
  options.max_send_bytes = max_send_;
  options.max_threads =
      std::min(max_threads_, resource_quota_.limits_->max_threads());
  options.quotas = QuotasFrom(client_quota_, options.max_threads);
  options.quotas.connections = Limit(max_connections_);
  options.quotas.memory = resource_quota_.limits_->memory();
  options.copy_before_parse = copy_before_parse_;
  options.access.sddl = access_.sddl;
  // The server itself always may. One by one: Abseil's optional may be a type
  // of its own.
  if (access_.mode.has_value()) options.access.mode = *access_.mode | 0600;
  if (access_.group_id.has_value()) options.access.group_id = *access_.group_id;
  options.health_service = DefaultHealthCheckServiceEnabled();
  if (ports_.empty()) {
    SHMRPC_LOG(kError) << "server not started: it has no port; call "
                          "AddListeningPort(\"shm:NAME\", ...)";
    return nullptr;
  }
  for (const Port& port : ports_) {
    auto address = link::ParseAddress(port.address);
    if (!address.ok()) {
      SHMRPC_LOG(kError) << "server not started: "
                         << address.status().message();
      return nullptr;
    }
    if (port.credentials == nullptr) {
      SHMRPC_LOG(kError) << "server not started: " << port.address
                         << " has null credentials; use "
                            "InsecureServerCredentials()";
      return nullptr;
    }
    if (!port.credentials->unusable().empty()) {
      SHMRPC_LOG(kError) << "server not started: " << port.address << ": "
                         << port.credentials->unusable();
      return nullptr;
    }
    options.addresses.push_back(*std::move(address));
  }
  for (const Service* service : services_) {
    if (service == nullptr) {
      SHMRPC_LOG(kError) << "server not started: a null service was registered";
      return nullptr;
    }
  }
  auto server = internal::LocalServer::Start(options);
  if (!server.ok()) {
    SHMRPC_LOG(kError) << "server not started: " << server.status().message();
    return nullptr;
  }
  for (const Port& port : ports_) {
    if (port.selected_port != nullptr) *port.selected_port = 1;
  }
  return *std::move(server);
}

}  // namespace shmrpc
