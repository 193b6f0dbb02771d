#include "shmrpc/server_builder.h"

#include <algorithm>
#include <utility>

#include "shmrpc/health_check_service_interface.h"
#include "transport/log/log.h"
#include "transport/rpc/server.h"

namespace shmrpc {

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

ServerBuilder& ServerBuilder::SetCopyBeforeParse(bool copy) {
  copy_before_parse_ = copy;
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
  options.max_threads = max_threads_;
  options.copy_before_parse = copy_before_parse_;
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
