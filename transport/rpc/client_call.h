// One call as the client keeps it, from sending the request to its status.
// Lives on the caller's stack.

#ifndef SHMRPC_TRANSPORT_RPC_CLIENT_CALL_H_
#define SHMRPC_TRANSPORT_RPC_CLIENT_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "google/protobuf/message_lite.h"
#include "shmrpc/status.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace internal {

struct ClientCall {
  enum class State {
    kWaiting,     // in flight
    kDelivering,  // the leading thread is writing into this call
    kDone,        // `status` is final
  };

  ClientCall(google::protobuf::MessageLite* response, int64_t deadline_ns,
             int max_receive_bytes)
      : response(response),
        deadline_ns(deadline_ns),
        max_receive_bytes(max_receive_bytes) {}

  bool done() const {
    // SYNC(call-done): acquire pairs with the release of whoever finished it.
    return state.load(std::memory_order_acquire) == State::kDone;
  }

  google::protobuf::MessageLite* const response;
  const int64_t deadline_ns;
  const int max_receive_bytes;  // -1: no limit
  // Where the calling thread sleeps; while the call is registered.
  std::unique_ptr<platform::Waiter> waiter;
  uint32_t id = 0;
  bool rang = false;  // the request woke a sleeping server

  // Changed under the connection's mutex; read without it by done().
  std::atomic<State> state{State::kWaiting};
  Status status;

  // A response that lies in a block: parsed by the calling thread itself.
  std::shared_ptr<platform::View> block_view;
  const uint8_t* block_data = nullptr;
  uint64_t block_bytes = 0;
  uint32_t block = 0;

  // The request is sent: the calling thread can take the lead. Under the
  // connection's mutex.
  bool awaiting = false;

  // Neighbours among the calls in flight. Under the connection's mutex.
  ClientCall* previous = nullptr;
  ClientCall* next = nullptr;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CLIENT_CALL_H_
