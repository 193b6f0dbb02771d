// Parking and waking: never lose a wake-up, never pay for one not needed.
//
//   consumer                              producer
//     parked = 1                            publish the record
//     FENCE(park)                           FENCE(publish)
//     look at the ring once more            read parked
//     sleep if it is empty                  if 1: set it to 0 and ring
//
// Each side stores one word and then loads the other's. With a full fence
// between store and load on both sides at least one of them sees the other's
// store: the consumer finds the record, or the producer finds the mark. (A
// seq_cst store followed by an acquire load is not enough: the load may still
// move up on weaker machines.) The producer takes the mark down itself, so that
// of several records only the first costs a wake-up.
//
// The same protocol with `wants_space` for `parked` and "units given back" for
// "record" wakes a producer that waits for room.
//
// Thread rule: any number of producers, one consumer per mark. Touches shared
// memory: call it guarded. The marks are hints of the peer's; a lie costs a
// needless wake-up or the liar's own sleep.

#ifndef SHMRPC_TRANSPORT_LINK_DOORBELL_H_
#define SHMRPC_TRANSPORT_LINK_DOORBELL_H_

#include <cstdint>

#include "transport/memory/sync.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {

template <class Sync>
class BasicDoorbell {
 public:
  using Mark = typename Sync::template Atomic<uint32_t>;

  // Consumer: announces that it will sleep. It must look for work once more
  // after this and before it sleeps.
  static void Park(Mark* mark) {
    // Relaxed: FENCE(park) separates this store from the loads that follow.
    mark->store(1, std::memory_order_relaxed);
    SHMRPC_STORE_POINT("doorbell.parked");
    Sync::FullFence();  // FENCE(park)
  }

  // Consumer: awake again, or found work after all.
  static void Unpark(Mark* mark) {
    // Relaxed: a producer that still reads 1 rings once too often.
    mark->store(0, std::memory_order_relaxed);
    SHMRPC_STORE_POINT("doorbell.unparked");
  }

  // Producer, after publishing: must the consumer be rung?
  static bool TakeMark(Mark* mark) {
    Sync::FullFence();  // FENCE(publish): our publication before this load
    // Relaxed twice: the fence orders the load, and the exchange carries no
    // data; it only decides which producer rings.
    if (mark->load(std::memory_order_relaxed) == 0) return false;
    const bool taken = mark->exchange(0, std::memory_order_relaxed) != 0;
    SHMRPC_STORE_POINT("doorbell.mark taken");
    return taken;
  }
};

using Doorbell = BasicDoorbell<memory::RealSync>;

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_DOORBELL_H_
