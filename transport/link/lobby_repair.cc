// Truncated objects are made whole in place. They keep their names and locks,
// so nobody can take a name in between; and who sleeps on a word of theirs is
// found by the kernel as before, since it looks sleepers up by the file and the
// offset in it (docs/decisions/0016).

#include <algorithm>
#include <cstring>
#include <utility>

#include "transport/link/lobby.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {

using memory::LobbyIdentity;
using memory::LobbySlots;
using platform::NamedMapping;

std::vector<const NamedMapping*> Lobby::objects() const {
  std::vector<const NamedMapping*> all{&slots_mapping_};
  for (const NamedMapping& identity : identities_) all.push_back(&identity);
  return all;
}

absl::StatusOr<bool> Lobby::MakeGood() {
  auto slots = MakeSlotsGood();
  if (!slots.ok()) return slots;
  bool made_good = *slots;
  for (size_t i = 0; i < identities_.size(); ++i) {
    auto identity = MakeIdentityGood(addresses_[i], identities_[i]);
    if (!identity.ok()) return identity;
    made_good |= *identity;
  }
  return made_good;
}

absl::StatusOr<bool> Lobby::MakeSlotsGood() {
  const bool whole = slots_mapping_.SizeNowBytes() >= sizeof(LobbySlots);
  uint64_t magic = 0;
  const bool readable = whole && platform::Guarded(slots_view_, [&] {
                          // Relaxed: nobody but this process writes it, or
                          // somebody spoils it.
                          magic =
                              slots()->magic.load(std::memory_order_relaxed);
                        });
  if (readable && magic == memory::kLobbyMagic) return false;
  if (absl::Status status = slots_mapping_.Regrow(); !status.ok()) {
    return status;
  }
  if (slots_view_.poisoned()) {
    absl::Status status = slots_mapping_.Restore(slots_view_);
    if (!status.ok()) return status;
  }
  platform::Guarded(slots_view_, [&] {
    // SYNC(lobby-ready)
    slots()->magic.store(memory::kLobbyMagic, std::memory_order_release);
    SHMRPC_STORE_POINT("slots.magic made good");
  });
  // Perhaps truncated again already: then it is the next call's.
  return true;
}

absl::StatusOr<bool> Lobby::MakeIdentityGood(const Address& address,
                                             const NamedMapping& mapping) {
  if (absl::Status status = mapping.Regrow(); !status.ok()) return status;
  auto view =
      mapping.Map(0, sizeof(LobbyIdentity), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  alignas(LobbyIdentity) uint8_t wanted[sizeof(LobbyIdentity)] = {};
  FillIdentity(address, reinterpret_cast<LobbyIdentity*>(wanted));
  bool same = true;
  platform::Guarded(*view, [&] {
    same = memcmp(view->data(), wanted, sizeof(wanted)) == 0;
    if (same) return;
    auto* identity = reinterpret_cast<LobbyIdentity*>(view->data());
    // Nothing to be believed meanwhile.
    identity->magic.store(0, std::memory_order_release);
    SHMRPC_STORE_POINT("identity.magic taken back");
    constexpr size_t kRest = offsetof(LobbyIdentity, layout_version);
    memcpy(view->data() + kRest, wanted + kRest, sizeof(wanted) - kRest);
    SHMRPC_STORE_POINT("identity.made good");
    // SYNC(lobby-ready)
    identity->magic.store(memory::kLobbyMagic, std::memory_order_release);
    SHMRPC_STORE_POINT("identity.magic made good");
  });
  return !same;
}

}  // namespace link
}  // namespace shmrpc
