// Options of a channel, under gRPC's names.
//
//   shmrpc::ChannelArguments arguments;
//   arguments.SetMaxReceiveMessageSize(64 << 20);
//   arguments.SetInt(shmrpc::GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
//   auto channel = shmrpc::CreateCustomChannel("shm:greeter", credentials,
//                                              arguments);
//
// As in gRPC, any key may be set; one that means nothing to a local channel is
// kept and changes nothing. Setting a key again replaces its value.
//
// Thread rule: one thread at a time. A channel keeps a copy.

#ifndef SHMRPC_CHANNEL_ARGUMENTS_H_
#define SHMRPC_CHANNEL_ARGUMENTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "shmrpc/client_quota.h"
#include "shmrpc/compression.h"

namespace shmrpc {

// Longest message a channel or server accepts, in bytes; -1: no limit.
constexpr int kDefaultMaxReceiveMessageBytes = 4 * 1024 * 1024;
constexpr int kDefaultMaxSendMessageBytes = -1;

// The keys that a channel reads; these take integers. gRPC's own headers define
// macros of these names with the same text: in a program that includes them
// first, those are what there is.
#ifndef GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH
inline constexpr const char* GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH =
    "grpc.max_receive_message_length";
inline constexpr const char* GRPC_ARG_MAX_SEND_MESSAGE_LENGTH =
    "grpc.max_send_message_length";
// Between two attempts to reach a server that is not there, while somebody is
// waiting for it. Defaults: 10 ms at first, 1 s at most, no minimum.
inline constexpr const char* GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS =
    "grpc.initial_reconnect_backoff_ms";
inline constexpr const char* GRPC_ARG_MIN_RECONNECT_BACKOFF_MS =
    "grpc.min_reconnect_backoff_ms";
inline constexpr const char* GRPC_ARG_MAX_RECONNECT_BACKOFF_MS =
    "grpc.max_reconnect_backoff_ms";
#endif

// Not in gRPC. 1: each response is copied into private memory before protobuf
// parses it, so that a server which changes it meanwhile gains nothing. 0, the
// default: those of this user's own servers are parsed where they lie; those of
// other users' are always copied. See ServerBuilder::SetCopyBeforeParse.
inline constexpr const char* SHMRPC_ARG_COPY_BEFORE_PARSE =
    "shmrpc.copy_before_parse";

// Whose server the channel accepts besides its own user's and root's (on
// Windows the Administrators' and the system's): a text. Linux: a user id or a
// name, "1000", "daemon"; Windows: a SID, "S-1-5-21-..."; "*": anybody's.
// Anybody can take a name that is free, so without it a server that another
// user runs is refused. Not in gRPC.
inline constexpr const char* SHMRPC_ARG_SERVER_USER = "shmrpc.server_user";

class ChannelArguments {
 public:
  void Swap(ChannelArguments& other);

  // Longest response accepted; a longer one ends the call with
  // RESOURCE_EXHAUSTED. -1: no limit. Default 4 MiB.
  void SetMaxReceiveMessageSize(int size_bytes);
  // Longest request sent; -1: no limit, which is the default.
  void SetMaxSendMessageSize(int size_bytes);

  // Most memory in bytes that a connection of the channel holds for its server:
  // large messages of both directions, and responses that nobody has read yet.
  // A call for which there is no room ends with RESOURCE_EXHAUSTED. -1: no
  // limit. Default 8 GiB, in a 32-bit process 512 MiB. Not in gRPC.
  void SetMaxServerMemory(int64_t bytes) { max_server_memory_ = bytes; }
  int64_t max_server_memory() const { return max_server_memory_; }

  // What a local channel has no use for: kept, without effect.
  void SetCompressionAlgorithm(grpc_compression_algorithm algorithm);
  void SetGrpclbFallbackTimeout(int timeout_ms);
  void SetUserAgentPrefix(const std::string& prefix);
  void SetLoadBalancingPolicyName(const std::string& name);
  void SetServiceConfigJSON(const std::string& json);
  void SetSslTargetNameOverride(const std::string& name);
  // "" if it is not set.
  std::string GetSslTargetNameOverride() const;

  void SetInt(const std::string& key, int value);
  void SetString(const std::string& key, const std::string& value);
  // What `value` points to is not owned.
  void SetPointer(const std::string& key, void* value);

  // The integer under `key`; `otherwise` if there is none.
  int GetInt(const std::string& key, int otherwise) const;
  // The text under `key`; "" if there is none.
  std::string GetString(const std::string& key) const;
  int max_receive_message_size() const { return max_receive_; }
  int max_send_message_size() const { return max_send_; }

 private:
  std::map<std::string, std::variant<int, std::string, void*>> values_;
  // Also among the values; each call reads them.
  int max_receive_ = kDefaultMaxReceiveMessageBytes;
  int max_send_ = kDefaultMaxSendMessageBytes;
  int64_t max_server_memory_ = kDefaultMaxPeerMemoryBytes;
};

}  // namespace shmrpc

#endif  // SHMRPC_CHANNEL_ARGUMENTS_H_
