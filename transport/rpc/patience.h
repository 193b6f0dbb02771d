// How much longer than usual to poll for what follows a long message.
//
// The other side reads, copies and writes about as many bytes before it goes
// on, which takes longer than anybody polls otherwise; so each call would put
// both sides to sleep. Beyond some MiB that makes no difference to the call,
// and polling would only burn the core.

#ifndef SHMRPC_TRANSPORT_RPC_PATIENCE_H_
#define SHMRPC_TRANSPORT_RPC_PATIENCE_H_

#include <algorithm>
#include <cstdint>

namespace shmrpc {
namespace internal {

// Rounds of giving the core away, each with a look: some hundred nanoseconds on
// an idle core, about two copies of 4 KiB.
constexpr int ExtraRounds(uint64_t message_bytes) {
  return static_cast<int>(std::min(message_bytes, uint64_t{4} << 20) / 4096);
}

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_PATIENCE_H_
