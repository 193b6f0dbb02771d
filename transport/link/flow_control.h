// Both ends of one direction of one call: how far its sender may run ahead of
// its reader. The rule is in memory/layout.h (kWindowBytes).
//
//   // sender                              // receiver, as a message arrives
//   if (window.open()) {                   if (!window.Arrived(cost)) ... lie
//     window.Charge(cost);                 // as the reader takes it
//     ... send ...                         uint32_t credit =
//     window.Taken(cost);
//   } else { ... wait for credit ... }     if (credit != 0) ... send it ...
//
// Neither can wait for the other for ever: when the reader has taken
// everything, what it has not given credit for is under a quarter of the
// window, and the sender may send.
//
// Thread rule: one thread at a time; but of a SendWindow one thread may use
// open and Charge while another one uses Credit. Touches no shared memory.

#ifndef SHMRPC_TRANSPORT_LINK_FLOW_CONTROL_H_
#define SHMRPC_TRANSPORT_LINK_FLOW_CONTROL_H_

#include <atomic>
#include <cstdint>

#include "transport/memory/layout.h"

namespace shmrpc {
namespace link {

// What a message costs.
constexpr uint64_t MessageCost(uint64_t message_bytes) {
  return message_bytes + memory::kMessageChargeBytes;
}

class SendWindow {
 public:
  // May a message be sent now, whatever its length?
  bool open() const {
    return charged_.load(std::memory_order_relaxed) -
               credited_.load(std::memory_order_relaxed) <
           memory::kWindowBytes;
  }
  void Charge(uint64_t cost) {
    charged_.store(charged_.load(std::memory_order_relaxed) + cost,
                   std::memory_order_relaxed);
  }
  // False: credit for more than was sent, which no honest peer gives.
  bool Credit(uint64_t cost) {
    const uint64_t credited = credited_.load(std::memory_order_relaxed);
    if (cost > charged_.load(std::memory_order_relaxed) - credited) {
      return false;
    }
    credited_.store(credited + cost, std::memory_order_relaxed);
    return true;
  }

 private:
  // Both since the call began, each written by one thread. Relaxed: numbers and
  // nothing else. An honest peer's credit is seen after the charge, by way of
  // the message and the credit itself.
  std::atomic<uint64_t> charged_{0};
  std::atomic<uint64_t> credited_{0};
};

class ReceiveWindow {
 public:
  // False: the sender has gone beyond its window.
  bool Arrived(uint64_t cost) {
    if (outstanding_ >= memory::kWindowBytes) return false;
    outstanding_ += cost;
    return true;
  }
  // The credit to give now; 0: none yet.
  uint32_t Taken(uint64_t cost) {
    taken_ += cost;
    if (taken_ < memory::kWindowBytes / 4) return 0;
    // Under a quarter of the window and one message, which has at most 2 GiB.
    const uint32_t credit = static_cast<uint32_t>(taken_);
    outstanding_ -= taken_;
    taken_ = 0;
    return credit;
  }

 private:
  uint64_t outstanding_ = 0;  // arrived, credit not given
  uint64_t taken_ = 0;        // of those, by the reader
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_FLOW_CONTROL_H_
