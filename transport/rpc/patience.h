// How long to poll for what the other side does next, before sleeping.
//
//   Patience patience;
//   for (;;) {
//     ... look, up to patience.polls() times; if there was something:
//     patience.Renew();
//     ... otherwise:
//     if (!patience.Wait(message_bytes)) ... sleep ...
//   }
//
// First some looks in a row, without giving the core away; then the core is
// given away between two looks, for about the price of a sleep and a wake-up,
// so that polling at most doubles the wait. That is counted in time: where
// other threads want the core, giving it away takes long, and who has waited
// so should sleep until it is called, or the few that are awake would have the
// core for themselves.
//
// After a long message the other side reads, copies and writes about as many
// bytes before it goes on, and is waited for longer. Beyond some MiB that makes
// no difference to the call, and polling would only burn the core.
//
// Thread rule: one thread.

#ifndef SHMRPC_TRANSPORT_RPC_PATIENCE_H_
#define SHMRPC_TRANSPORT_RPC_PATIENCE_H_

#include <algorithm>
#include <cstdint>

#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"

namespace shmrpc {
namespace internal {

class Patience {
 public:
  // How often to look now, with a pause between; 0: once.
  int polls() const { return rounds_ < kBusyRounds ? kPollsPerRound : 0; }

  void Renew() {
    rounds_ = 0;
    until_ns_ = 0;
  }
  // For who had to wake the other side: it gives the core away from the first
  // look on, since that may be needed there. Not asleep at once: the other side
  // would find it so, and both would go on waking each other for every call.
  void RenewGivingWay() {
    rounds_ = kBusyRounds;
    until_ns_ = 0;
  }

  // A look found nothing. False: it is time to sleep. `message_bytes`: of what
  // the other side works on.
  bool Wait(uint64_t message_bytes) {
    if (rounds_ < kBusyRounds) {
      ++rounds_;
      return true;
    }
    const int64_t now_ns = platform::MonotonicNowNs();
    if (until_ns_ == 0) {
      until_ns_ = now_ns + kGiveWayNs +
                  static_cast<int64_t>(std::min(message_bytes, kMostBytes) /
                                       kBytesPerNs);
    } else if (now_ns >= until_ns_) {
      return false;
    }
    platform::YieldThread();
    return true;
  }

 private:
  static constexpr int kPollsPerRound = 50;
  static constexpr int kBusyRounds = 8;  // some ten microseconds
  static constexpr int64_t kGiveWayNs = 60 * 1000;
  static constexpr uint64_t kBytesPerNs = 8;  // a few copies
  static constexpr uint64_t kMostBytes = uint64_t{4} << 20;

  int rounds_ = 0;
  int64_t until_ns_ = 0;  // 0: not known yet
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_PATIENCE_H_
