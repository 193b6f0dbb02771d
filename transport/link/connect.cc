#include "transport/link/connect.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/connection_object.h"
#include "transport/link/entrance.h"
#include "transport/link/lobby.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {
namespace {

using memory::AcceptSlot;
using memory::ConnectionPage;
using memory::LobbySlots;
using platform::Guarded;
using platform::NamedMapping;
using platform::View;

constexpr int64_t kMillisecondNs = 1000 * 1000;
// How long a server has to make good a lobby that somebody truncated.
constexpr int64_t kRepairPatienceNs = 1000 * kMillisecondNs;
constexpr int64_t kRepairLookNs = 5 * kMillisecondNs;
// From this pause on an offer that has gone from its slot is made again.
constexpr int64_t kOfferAgainNs = 100 * kMillisecondNs;

// What the death watch and the handshake share.
struct ServerDeath {
  std::atomic<bool> dead{false};
  std::shared_ptr<ConnectCancel> cancel;  // whose waiter the handshake uses
};

absl::Status Gone(const Address& address) {
  return absl::UnavailableError(absl::StrCat(
      address.ToString(), ": its server died during the connection handshake"));
}

// A limit of the server's; `limit` is what it says.
absl::Status Full(const Address& address, uint64_t limit, const char* of_what) {
  return absl::ResourceExhaustedError(absl::StrCat(
      address.ToString(), ": its server refused the connection: ", "it allows ",
      limit, of_what));
}

absl::Status Refused(const Address& address, uint32_t reason, uint64_t limit) {
  const char* why = "for an unknown reason";
  switch (reason) {
    case memory::kRefusedLayoutVersion:
      why = "another layout version; build both from compatible versions";
      break;
    case memory::kRefusedHeader:
      why = "the connection header makes no sense to it";
      break;
    case memory::kRefusedPidNamespace:
      why =
          "this client lives in a pid namespace the server cannot see into; "
          "run "
          "both in the same one (for containers: share the pid namespace)";
      break;
    case memory::kRefusedIdentity:
      why = "this process is not the one the connection names";
      break;
    case memory::kRefusedNoMemory:
      why = "it has no memory or handles left for another connection";
      break;
    case memory::kRefusedNotMade:
      why = "it could not make one for this process; its log says why";
      break;
    case memory::kRefusedShuttingDown:
      why = "it is shutting down";
      break;
    case memory::kRefusedClientConnections:
      return Full(address, limit,
                  " connections of one process, and this one has them; close "
                  "some, share a channel, or raise its ClientQuota");
    case memory::kRefusedConnections:
      return Full(address, limit,
                  " connections of all its clients together, and has them");
    case memory::kRefusedClientMemory:
      return Full(address, limit,
                  " bytes of memory for one process, which leaves too little "
                  "for another connection of this one");
  }
  return absl::UnavailableError(absl::StrCat(
      address.ToString(), ": its server refused the connection: ", why));
}

// Puts the connection's nonce into a free slot; its index, or -1: none is free.
int Offer(LobbySlots* slots, const Nonce& nonce, uint32_t pid) {
  const uint64_t owner = static_cast<uint64_t>(pid) << 32;
  for (uint32_t i = 0; i < memory::kSlotCount; ++i) {
    AcceptSlot& slot = slots->slots[i];
    uint64_t expected = memory::kSlotFree;
    // SYNC(slot-freed): acquire pairs with the server's release when it freed
    // the slot: it has read the nonce that stood there.
    if (!slot.state.compare_exchange_strong(expected,
                                            owner | memory::kSlotClaimed,
                                            std::memory_order_acquire)) {
      continue;
    }
    SHMRPC_STORE_POINT("slot.claimed");
    // Relaxed: published by the store below.
    slot.nonce[0].store(nonce.high, std::memory_order_relaxed);
    SHMRPC_STORE_POINT("slot.nonce high");
    slot.nonce[1].store(nonce.low, std::memory_order_relaxed);
    SHMRPC_STORE_POINT("slot.nonce low");
    // SYNC(slot-offered): release pairs with the server's acquire.
    slot.state.store(owner | memory::kSlotOffered, std::memory_order_release);
    SHMRPC_STORE_POINT("slot.offered");
    return static_cast<int>(i);
  }
  return -1;
}

// Does the slot still hold it? If not, the server has taken it, or somebody has
// spoilt it.
bool StillOffered(const LobbySlots* slots, int index, const Nonce& nonce,
                  uint32_t pid) {
  const AcceptSlot& slot = slots->slots[index];
  // Relaxed: nothing is read that its state orders.
  return slot.state.load(std::memory_order_relaxed) ==
             (static_cast<uint64_t>(pid) << 32 | memory::kSlotOffered) &&
         slot.nonce[0].load(std::memory_order_relaxed) == nonce.high &&
         slot.nonce[1].load(std::memory_order_relaxed) == nonce.low;
}

// Takes an offer back that nobody looked at. If the server was faster, the slot
// may hold the offer of another thread of this process by now: that one stays.
void Withdraw(LobbySlots* slots, int index, const Nonce& nonce, uint32_t pid) {
  AcceptSlot& slot = slots->slots[index];
  const uint64_t owner = static_cast<uint64_t>(pid) << 32;
  uint64_t expected = owner | memory::kSlotOffered;
  // Claimed, nobody else touches it. SYNC(slot-offered): acquire pairs with the
  // release of whoever offered it.
  if (!slot.state.compare_exchange_strong(
          expected, owner | memory::kSlotClaimed, std::memory_order_acquire)) {
    return;
  }
  SHMRPC_STORE_POINT("slot.claimed again");
  // Relaxed: ordered by the acquire above.
  const bool ours =
      slot.nonce[0].load(std::memory_order_relaxed) == nonce.high &&
      slot.nonce[1].load(std::memory_order_relaxed) == nonce.low;
  // SYNC(slot-offered), if it is put back; its client rings again.
  slot.state.store(
      ours ? uint64_t{memory::kSlotFree} : owner | memory::kSlotOffered,
      std::memory_order_release);
  SHMRPC_STORE_POINT("slot.withdrawn");
}

// Looks again for a while where its server is about to have it ready.
absl::StatusOr<Entrance::Ptr> FindSoon(const Address& address,
                                       const std::string& server_user,
                                       int64_t deadline_ns,
                                       ConnectCancel* cancel) {
  auto found = Entrance::Find(address, server_user);
  if (!absl::IsAborted(found.status())) return found;
  const int64_t give_up_ns =
      std::min(deadline_ns, platform::MonotonicNowNs() + kRepairPatienceNs);
  while (absl::IsAborted(found.status()) && !cancel->cancelled()) {
    const int64_t now_ns = platform::MonotonicNowNs();
    if (now_ns >= give_up_ns) break;
    cancel->waiter()->Wait(nullptr,
                           std::min(give_up_ns, now_ns + kRepairLookNs));
    found = Entrance::Find(address, server_user);
  }
  return found;
}

// Open to the server's user, too, if that is another one.
platform::AccessPolicy SegmentAccess(const ServerIdentity& server) {
  platform::AccessPolicy access;
  if (!server.same_user) access.user = server.user;
  return access;
}

absl::StatusOr<ConnectionObject> MakeKnock(const ServerIdentity& server,
                                           const Nonce& nonce,
                                           const platform::ProcessId& self) {
  // What processes of this user left that were killed: a server that is
  // another user's may not remove it.
  platform::ReclaimAbandoned(server.slots_scope, kConnectionPrefix);
  ConnectionShape shape;
  shape.client = self;
  shape.ring_size_bytes = 0;
  return CreateConnectionObject(ConnectionName(server.slots_scope, nonce),
                                shape, SegmentAccess(server));
}

// What the server made for this process, told in the answer to its knock.
absl::StatusOr<ConnectionObject> OpenMade(const Address& address,
                                          const ServerIdentity& server,
                                          const Nonce& made,
                                          uint64_t* ring_size_bytes) {
  auto object = OpenConnectionObject(ConnectionName(server.slots_scope, made),
                                     server.user);
  if (absl::IsNotFound(object.status())) {
    return absl::UnavailableError(
        absl::StrCat(address.ToString(),
                     ": its server closed the connection during the "
                     "handshake"));
  }
  if (!object.ok()) return object.status();
  ConnectionClaims claims;
  if (!ReadClaims(*object, &claims) ||
      claims.magic != memory::kConnectionMagic || claims.IsKnock() ||
      !claims.SizesFit(*object)) {
    return absl::DataLossError(absl::StrCat(
        address.ToString(), ": the connection object ", object->name.name,
        " that its server made makes no sense"));
  }
  *ring_size_bytes = claims.ring_size_bytes;
  return object;
}

}  // namespace

absl::StatusOr<ClientLink> Connect(const Address& address,
                                   ConnectOptions options) {
  const int64_t deadline_ns = options.deadline_ns;
  auto death = std::make_shared<ServerDeath>();
  death->cancel = options.cancel != nullptr ? std::move(options.cancel)
                                            : std::make_shared<ConnectCancel>();
  auto found =
      FindSoon(address, options.server_user, deadline_ns, death->cancel.get());
  if (!found.ok()) return found.status();
  const Entrance::Ptr entrance = *std::move(found);
  const ServerIdentity& server = entrance->server();
  LobbySlots* const slots = entrance->slots();
  auto poller_event = platform::Event::Open(
      SlotsName(server.slots_scope, server.slots_nonce).WithSuffix(".p"),
      &slots->poller_wake.word);
  if (!poller_event.ok()) return poller_event.status();

  // The connection object, complete before anyone can find it; the memory of
  // its rings follows while the server wakes up. Or a knock.
  const Nonce nonce = Nonce::Random();
  const platform::ProcessId self = platform::CurrentProcess();
  const bool knocks = server.MakesConnections();
  auto offered =
      knocks ? MakeKnock(server, nonce, self)
             : CreateConnectionObject(
                   ConnectionName(server.slots_scope, nonce),
                   {self, memory::kRingSizeBytes, /*reserve_late=*/true}, {});
  if (!offered.ok()) return offered.status();
  const View& view = offered->view;
  ConnectionPage* const page = offered->page();

  auto watch = platform::DeathWatch::Start(
      server.process,
      [death, on_server_death = std::move(options.on_server_death)] {
        // Relaxed: Interrupt and the wait it ends order it.
        death->dead.store(true, std::memory_order_relaxed);  // not shared
        death->cancel->waiter()->Interrupt();
        if (on_server_death != nullptr) on_server_death();
      });
  if (absl::IsNotFound(watch.status())) return Gone(address);
  if (!watch.ok()) return watch.status();

  int slot = -1;
  // A server that took the offer meanwhile is told, too.
  const auto give_up = [&](absl::Status status) {
    Guarded(view, [&] {
      // SYNC(closed)
      page->side[memory::kClientSide].closed.store(1,
                                                   std::memory_order_release);
      SHMRPC_STORE_POINT("connect.given up");
    });
    Guarded(entrance->slots_view(), [&] {
      if (slot >= 0) Withdraw(slots, slot, nonce, self.pid);
      poller_event->Signal();
    });
    return status;
  };
  uint32_t answer = memory::kHelloPending;
  uint32_t refusal = memory::kRefusedNone;
  uint64_t limit = 0;
  Nonce made;
  bool reserved = knocks;
  int64_t slots_gone_ns = 0;  // since when; 0: they are there
  // Rings again after 1, 10, 100 ms, then each second: slots are shared with
  // other clients, any of which might have spoilt ours or taken our signal.
  for (int64_t pause_ns = kMillisecondNs; answer == memory::kHelloPending;) {
    const bool alive = Guarded(entrance->slots_view(), [&] {
      // A server that has taken it and is slow finds nothing new in a second
      // one.
      if (slot >= 0 && pause_ns >= kOfferAgainNs &&
          !StillOffered(slots, slot, nonce, self.pid)) {
        slot = -1;
      }
      if (slot < 0) slot = Offer(slots, nonce, self.pid);
      entrance->accept_event()->Signal();
    });
    if (!alive) {
      // Whatever stood there is lost, so it is offered anew.
      slot = -1;
      const int64_t now_ns = platform::MonotonicNowNs();
      if (slots_gone_ns == 0) slots_gone_ns = now_ns;
      if (entrance->Restore()) {
        slots_gone_ns = 0;
        pause_ns = kMillisecondNs;
      } else if (now_ns - slots_gone_ns >= kRepairPatienceNs) {
        return give_up(absl::DataLossError(absl::StrCat(
            address.ToString(),
            ": its accept slots are gone (truncated by some process of this "
            "user), and it does not make them good; try again")));
      }
    }
    if (!reserved) {
      if (absl::Status status = offered->mapping.Reserve(); !status.ok()) {
        return give_up(std::move(status));
      }
      reserved = true;
    }
    const int64_t again_ns = platform::MonotonicNowNs() + pause_ns;
    death->cancel->waiter()->Wait(&offered->client_event,
                                  std::min(deadline_ns, again_ns));
    if (!Guarded(view, [&] {
          // SYNC(hello): acquire pairs with the server's release.
          answer = page->hello.state.load(std::memory_order_acquire);
          refusal = page->hello.refusal;
          limit = page->hello.limit;
          made = {page->hello.connection_nonce[0],
                  page->hello.connection_nonce[1]};
        })) {
      return absl::DataLossError(
          absl::StrCat("connection ", offered->name.name, " was truncated"));
    }
    if (answer != memory::kHelloPending) break;
    if (death->dead.load(std::memory_order_relaxed)) return Gone(address);
    const int64_t now_ns = platform::MonotonicNowNs();
    const bool cancelled = death->cancel->cancelled();
    if (cancelled || now_ns >= deadline_ns) {
      if (cancelled) {
        return give_up(absl::CancelledError(absl::StrCat(
            address.ToString(), ": connecting to it was cancelled")));
      }
      return give_up(absl::DeadlineExceededError(absl::StrCat(
          address.ToString(), ": its server (pid ", server.process.pid,
          ") did not answer the connection handshake")));
    }
    if (now_ns >= again_ns)
      pause_ns = std::min(pause_ns * 10, 1000 * kMillisecondNs);
  }
  if (answer != memory::kHelloAccepted) return Refused(address, refusal, limit);

  ConnectionObject object = *std::move(offered);
  NamedMapping witness;
  uint64_t ring_size_bytes = memory::kRingSizeBytes;
  if (knocks) {
    auto opened = OpenMade(address, server, made, &ring_size_bytes);
    if (!opened.ok()) return opened.status();
    // Without a name, but held: the server looks whether it is.
    witness = std::move(object.mapping);
    witness.Unlink();
    object = *std::move(opened);
  }
  ClientLink link;
  link.own_event = std::move(object.client_event);
  link.watch = *std::move(watch);
  Connection::Parts parts;
  parts.name = object.name;
  parts.mapping = std::move(object.mapping);
  parts.view = std::move(object.view);
  parts.ring_size_bytes = ring_size_bytes;
  parts.segment_access = SegmentAccess(server);
  parts.witness = std::move(witness);
  parts.peer = server.process;
  parts.peer_user = server.user;
  parts.same_user = server.same_user;
  parts.memory_account = std::move(options.memory_account);
  parts.peer_event = *std::move(poller_event);
  parts.peer_event_owner = entrance;
  parts.restore_peer_event = [entrance] { return entrance->Restore(); };
  link.connection =
      std::make_unique<Connection>(memory::kClientSide, std::move(parts));
  return link;
}

bool ServerGone(const Address& address, const platform::ProcessId& server) {
  // Whoever has the name now: it is only compared.
  const auto identity = ReadIdentity(address, "*");
  if (!identity.ok()) return absl::IsNotFound(identity.status());
  return !(identity->process == server);
}

}  // namespace link
}  // namespace shmrpc
