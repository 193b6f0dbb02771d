#include "shmrpc/channel_arguments.h"

#include <utility>

namespace shmrpc {
namespace {

constexpr char kCompression[] = "grpc.default_compression_algorithm";
constexpr char kGrpclbFallback[] = "grpc.grpclb_fallback_timeout_ms";
constexpr char kUserAgentPrefix[] = "grpc.primary_user_agent";
constexpr char kLoadBalancingPolicy[] = "grpc.lb_policy_name";
constexpr char kServiceConfig[] = "grpc.service_config";
constexpr char kSslTargetName[] = "grpc.ssl_target_name_override";

}  // namespace

void ChannelArguments::Swap(ChannelArguments& other) {
  std::swap(*this, other);
}

void ChannelArguments::SetMaxReceiveMessageSize(int size_bytes) {
  SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, size_bytes);
}

void ChannelArguments::SetMaxSendMessageSize(int size_bytes) {
  SetInt(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, size_bytes);
}

void ChannelArguments::SetCompressionAlgorithm(
    grpc_compression_algorithm algorithm) {
  SetInt(kCompression, algorithm);
}

void ChannelArguments::SetGrpclbFallbackTimeout(int timeout_ms) {
  SetInt(kGrpclbFallback, timeout_ms);
}

void ChannelArguments::SetUserAgentPrefix(const std::string& prefix) {
  SetString(kUserAgentPrefix, prefix);
}

void ChannelArguments::SetLoadBalancingPolicyName(const std::string& name) {
  SetString(kLoadBalancingPolicy, name);
}

void ChannelArguments::SetServiceConfigJSON(const std::string& json) {
  SetString(kServiceConfig, json);
}

void ChannelArguments::SetSslTargetNameOverride(const std::string& name) {
  SetString(kSslTargetName, name);
}

std::string ChannelArguments::GetSslTargetNameOverride() const {
  return GetString(kSslTargetName);
}

void ChannelArguments::SetInt(const std::string& key, int value) {
  values_[key] = value;
  if (key == GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH) max_receive_ = value;
  if (key == GRPC_ARG_MAX_SEND_MESSAGE_LENGTH) max_send_ = value;
}

void ChannelArguments::SetString(const std::string& key,
                                 const std::string& value) {
  values_[key] = value;
}

void ChannelArguments::SetPointer(const std::string& key, void* value) {
  values_[key] = value;
}

std::string ChannelArguments::GetString(const std::string& key) const {
  const auto at = values_.find(key);
  if (at == values_.end()) return "";
  const auto* value = std::get_if<std::string>(&at->second);
  return value == nullptr ? "" : *value;
}

int ChannelArguments::GetInt(const std::string& key, int otherwise) const {
  const auto at = values_.find(key);
  if (at == values_.end()) return otherwise;
  const int* value = std::get_if<int>(&at->second);
  return value == nullptr ? otherwise : *value;
}

}  // namespace shmrpc
