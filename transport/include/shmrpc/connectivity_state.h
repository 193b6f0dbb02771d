// The states of a channel, under gRPC's names.

#ifndef SHMRPC_CONNECTIVITY_STATE_H_
#define SHMRPC_CONNECTIVITY_STATE_H_

namespace shmrpc {

enum grpc_connectivity_state {
  GRPC_CHANNEL_IDLE,               // not connected, nobody needs it
  GRPC_CHANNEL_CONNECTING,         // looking for the server
  GRPC_CHANNEL_READY,              // connected
  GRPC_CHANNEL_TRANSIENT_FAILURE,  // the last attempt failed
  GRPC_CHANNEL_SHUTDOWN            // will never connect: made before fork()
};

}  // namespace shmrpc

#endif  // SHMRPC_CONNECTIVITY_STATE_H_
