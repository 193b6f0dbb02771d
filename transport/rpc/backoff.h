// How long to wait between two attempts to reach a server that is not there:
// longer each time, up to a limit, and never quite the same, so that clients
// that lost their server together do not return together.
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TRANSPORT_RPC_BACKOFF_H_
#define SHMRPC_TRANSPORT_RPC_BACKOFF_H_

#include <cstdint>
#include <random>

#include "shmrpc/channel_arguments.h"

namespace shmrpc {
namespace internal {

// Why these defaults: docs/decisions/0010-reconnect-at-once.md.
struct BackoffOptions {
  int64_t initial_ns = 10 * 1000 * 1000;  // the first pause
  int64_t min_ns = 0;                     // no pause is shorter
  int64_t max_ns = 1000 * 1000 * 1000;    // where the growth ends
};

// grpc.{initial,min,max}_reconnect_backoff_ms where they are set, ours where
// they are not. Nothing is below a millisecond. Values that contradict each
// other: the minimum beats the maximum, a maximum that was set beats the
// initial value, which beats our default maximum.
BackoffOptions BackoffFromArguments(const ChannelArguments& arguments);

class Backoff {
 public:
  Backoff(const BackoffOptions& options, uint32_t seed);

  // The next pause: 1.6 times the one before, give or take 20 % (also of the
  // longest).
  int64_t NextNs();

 private:
  const BackoffOptions options_;
  double pause_ns_;
  std::minstd_rand random_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_BACKOFF_H_
