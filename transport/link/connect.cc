#include "transport/link/connect.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shmrpc/version.h"
#include "transport/link/entrance.h"
#include "transport/link/lobby.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {
namespace {

using memory::AcceptSlot;
using memory::ConnectionHeader;
using memory::ConnectionPage;
using memory::LobbySlots;
using platform::Guarded;
using platform::NamedMapping;
using platform::View;

constexpr int64_t kMillisecondNs = 1000 * 1000;

// What the death watch and the handshake share.
struct ServerDeath {
  std::atomic<bool> dead{false};
  std::shared_ptr<ConnectCancel> cancel;  // whose waiter the handshake uses
};

absl::Status Gone(const Address& address) {
  return absl::UnavailableError(absl::StrCat(
      address.ToString(), ": its server died during the connection handshake"));
}

absl::Status Refused(const Address& address, uint32_t reason) {
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
    case memory::kRefusedShuttingDown:
      why = "it is shutting down";
      break;
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

}  // namespace

absl::StatusOr<ClientLink> Connect(const Address& address, int64_t deadline_ns,
                                   std::function<void()> on_server_death,
                                   std::shared_ptr<ConnectCancel> cancel) {
  auto found = Entrance::Find(address);
  if (!found.ok()) return found.status();
  const Entrance::Ptr entrance = *std::move(found);
  const ServerIdentity& server = entrance->server();
  LobbySlots* const slots = entrance->slots();
  auto poller_event = platform::Event::Open(
      SlotsName(server.slots_scope, server.slots_nonce).WithSuffix(".p"),
      &slots->poller_wake.word);
  if (!poller_event.ok()) return poller_event.status();

  // The connection object, complete before anyone can find it; the memory of
  // its rings follows while the server wakes up.
  const Nonce nonce = Nonce::Random();
  const platform::ObjectName name = ConnectionName(server.slots_scope, nonce);
  const uint64_t size_bytes =
      memory::ConnectionSizeBytes(memory::kRingSizeBytes);
  const platform::ProcessId self = platform::CurrentProcess();
  platform::CreateOptions options;
  options.fresh_name = true;
  options.reserve_first_bytes = memory::kPage;
  const auto init = [&](uint8_t* data) {
    auto* header = reinterpret_cast<ConnectionHeader*>(data);
    header->layout_version = kLayoutVersion;
    SHMRPC_STORE_POINT("header.layout version");
    header->header_bytes = sizeof(ConnectionHeader);
    SHMRPC_STORE_POINT("header.header bytes");
    header->client_pid = self.pid;
    SHMRPC_STORE_POINT("header.pid");
    header->client_start_time = self.start_time;
    SHMRPC_STORE_POINT("header.start time");
    header->ring_size_bytes = memory::kRingSizeBytes;
    SHMRPC_STORE_POINT("header.ring size");
    header->total_size_bytes = size_bytes;
    SHMRPC_STORE_POINT("header.total size");
    header->client_clock_ns = platform::MonotonicNowNs();
    SHMRPC_STORE_POINT("header.clock");
    // SYNC(connection-ready): release pairs with the server's acquire.
    header->magic.store(memory::kConnectionMagic, std::memory_order_release);
    SHMRPC_STORE_POINT("header.magic");
    return absl::OkStatus();
  };
  View view;
  auto mapping =
      NamedMapping::CreateMapped(name, size_bytes, options, init, &view);
  if (!mapping.ok()) return mapping.status();
  auto* page = reinterpret_cast<ConnectionPage*>(view.data());
  auto own_event = platform::Event::Create(name.WithSuffix(".w"),
                                           &page->client_wake.word, {});
  if (!own_event.ok()) return own_event.status();

  auto death = std::make_shared<ServerDeath>();
  death->cancel =
      cancel != nullptr ? std::move(cancel) : std::make_shared<ConnectCancel>();
  auto watch =
      platform::DeathWatch::Start(server.process, [death, on_server_death] {
        // Relaxed: Interrupt and the wait it ends order it.
        death->dead.store(true, std::memory_order_relaxed);  // not shared
        death->cancel->waiter()->Interrupt();
        on_server_death();
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
  bool reserved = false;
  // Rings again after 1, 10, 100 ms, then each second: slots are shared with
  // other clients, any of which might have spoilt ours or taken our signal.
  for (int64_t pause_ns = kMillisecondNs; answer == memory::kHelloPending;) {
    const bool alive = Guarded(entrance->slots_view(), [&] {
      if (slot < 0) slot = Offer(slots, nonce, self.pid);
      entrance->accept_event()->Signal();
    });
    if (!alive) {
      return absl::DataLossError(absl::StrCat(
          address.ToString(), ": its accept slots are gone (truncated)"));
    }
    if (!reserved) {
      if (absl::Status status = mapping->Reserve(); !status.ok()) {
        return give_up(std::move(status));
      }
      reserved = true;
    }
    const int64_t again_ns = platform::MonotonicNowNs() + pause_ns;
    death->cancel->waiter()->Wait(&*own_event, std::min(deadline_ns, again_ns));
    if (!Guarded(view, [&] {
          // SYNC(hello): acquire pairs with the server's release.
          answer = page->hello.state.load(std::memory_order_acquire);
          refusal = page->hello.refusal;
        })) {
      return absl::DataLossError(
          absl::StrCat("connection ", name.name, " was truncated"));
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
  if (answer != memory::kHelloAccepted) return Refused(address, refusal);

  ClientLink link;
  link.own_event = *std::move(own_event);
  link.watch = *std::move(watch);
  Connection::Parts parts{name,
                          *std::move(mapping),
                          std::move(view),
                          memory::kRingSizeBytes,
                          *std::move(poller_event),
                          entrance,
                          server.process,
                          {}};
  link.connection =
      std::make_unique<Connection>(memory::kClientSide, std::move(parts));
  return link;
}

bool ServerGone(const Address& address, const platform::ProcessId& server) {
  const auto identity = ReadIdentity(address);
  if (!identity.ok()) return absl::IsNotFound(identity.status());
  return !(identity->process == server);
}

}  // namespace link
}  // namespace shmrpc
