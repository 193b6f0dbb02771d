// Options of a channel, under gRPC's names.

#ifndef SHMRPC_CHANNEL_ARGUMENTS_H_
#define SHMRPC_CHANNEL_ARGUMENTS_H_

namespace shmrpc {

// Longest message a channel or server accepts, in bytes; -1: no limit.
constexpr int kDefaultMaxReceiveMessageBytes = 4 * 1024 * 1024;
constexpr int kDefaultMaxSendMessageBytes = -1;

class ChannelArguments {
 public:
  // Longest response accepted; a longer one ends the call with
  // RESOURCE_EXHAUSTED. Default 4 MiB.
  void SetMaxReceiveMessageSize(int size_bytes) { max_receive_ = size_bytes; }
  // Longest request sent. Default: no limit.
  void SetMaxSendMessageSize(int size_bytes) { max_send_ = size_bytes; }

  int max_receive_message_size() const { return max_receive_; }
  int max_send_message_size() const { return max_send_; }

 private:
  int max_receive_ = kDefaultMaxReceiveMessageBytes;
  int max_send_ = kDefaultMaxSendMessageBytes;
};

}  // namespace shmrpc

#endif  // SHMRPC_CHANNEL_ARGUMENTS_H_
