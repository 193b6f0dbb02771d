// A client's offer in an accept slot: the nonce of its connection's object,
// until the server takes it.
//
//   SlotOffer offer(entrance->slots(), nonce, CurrentProcess().pid);
//   Guarded(entrance->slots_view(), [&] {
//     offer.Make();
//     entrance->accept_event()->Signal();
//   });
//
// The slots are shared with all other clients, any of which might spoil it, and
// with the server (accept.cc takes it).
//
// Thread rule: one thread at a time. All but Forget touch the slots: guarded.

#ifndef SHMRPC_TRANSPORT_LINK_SLOT_OFFER_H_
#define SHMRPC_TRANSPORT_LINK_SLOT_OFFER_H_

#include <cstdint>

#include "transport/link/address.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace link {

class SlotOffer {
 public:
  SlotOffer(memory::LobbySlots* slots, const Nonce& nonce, uint32_t pid);

  // Puts it into a free slot, unless it is in one; nothing if none is free.
  void Make();
  // Forgets it if it is in its slot no more: the server has taken it, or
  // somebody has spoilt it.
  void ForgetIfGone();
  // What the slot held is lost.
  void Forget() { index_ = -1; }
  // Takes it back, unless the server has taken it.
  void Withdraw();

 private:
  bool Holds(const memory::AcceptSlot& slot) const;

  memory::LobbySlots* const slots_;
  const Nonce nonce_;
  const uint64_t owner_;  // the pid, where a slot's state has it
  int index_ = -1;        // of its slot; -1: none
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_SLOT_OFFER_H_
