#include "transport/link/slot_offer.h"

#include <atomic>

#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {

using memory::AcceptSlot;

SlotOffer::SlotOffer(memory::LobbySlots* slots, const Nonce& nonce,
                     uint32_t pid)
    : slots_(slots), nonce_(nonce), owner_(static_cast<uint64_t>(pid) << 32) {}

void SlotOffer::Make() {
  if (index_ >= 0) return;
  for (uint32_t i = 0; i < memory::kSlotCount; ++i) {
    AcceptSlot& slot = slots_->slots[i];
    uint64_t expected = memory::kSlotFree;
    // SYNC(slot-freed): acquire pairs with the server's release when it freed
    // the slot: it has read the nonce that stood there.
    if (!slot.state.compare_exchange_strong(expected,
                                            owner_ | memory::kSlotClaimed,
                                            std::memory_order_acquire)) {
      continue;
    }
    SHMRPC_STORE_POINT("slot.claimed");
    // Relaxed: published by the store below.
    slot.nonce[0].store(nonce_.high, std::memory_order_relaxed);
    SHMRPC_STORE_POINT("slot.nonce high");
    slot.nonce[1].store(nonce_.low, std::memory_order_relaxed);
    SHMRPC_STORE_POINT("slot.nonce low");
    // SYNC(slot-offered): release pairs with the server's acquire.
    slot.state.store(owner_ | memory::kSlotOffered, std::memory_order_release);
    SHMRPC_STORE_POINT("slot.offered");
    index_ = static_cast<int>(i);
    return;
  }
}

bool SlotOffer::Holds(const AcceptSlot& slot) const {
  // Relaxed: ordered by the caller's look at the state, or a hint.
  return slot.nonce[0].load(std::memory_order_relaxed) == nonce_.high &&
         slot.nonce[1].load(std::memory_order_relaxed) == nonce_.low;
}

void SlotOffer::ForgetIfGone() {
  if (index_ < 0) return;
  const AcceptSlot& slot = slots_->slots[index_];
  // Relaxed: nothing is read that its state orders.
  if (slot.state.load(std::memory_order_relaxed) !=
          (owner_ | memory::kSlotOffered) ||
      !Holds(slot)) {
    Forget();
  }
}

void SlotOffer::Withdraw() {
  if (index_ < 0) return;
  AcceptSlot& slot = slots_->slots[index_];
  Forget();
  uint64_t expected = owner_ | memory::kSlotOffered;
  // Claimed, nobody else touches it. SYNC(slot-offered): acquire pairs with the
  // release of whoever offered it.
  if (!slot.state.compare_exchange_strong(
          expected, owner_ | memory::kSlotClaimed, std::memory_order_acquire)) {
    return;
  }
  SHMRPC_STORE_POINT("slot.claimed again");
  // If the server was faster, the slot may hold the offer of another thread of
  // this process by now: that one stays. SYNC(slot-offered), if it is put back;
  // its client rings again.
  slot.state.store(
      Holds(slot) ? uint64_t{memory::kSlotFree} : owner_ | memory::kSlotOffered,
      std::memory_order_release);
  SHMRPC_STORE_POINT("slot.withdrawn");
}

}  // namespace link
}  // namespace shmrpc
