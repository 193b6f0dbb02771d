#include "transport/link/accept.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "shmrpc/version.h"
#include "transport/link/connection_object.h"
#include "transport/link/lobby_keeper.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {
namespace {

using memory::LobbySlots;
using platform::Guarded;

constexpr int64_t kSecondNs = 1000 * 1000 * 1000;
constexpr int64_t kCenturyNs = int64_t{100} * 365 * 24 * 3600 * kSecondNs;

struct Verdict {
  memory::Refusal refusal = memory::kRefusedNone;
  std::string reason;
  uint64_t limit = 0;
  bool log = true;
};

Verdict Judge(const ConnectionClaims& claims, const ConnectionObject& object) {
  if (claims.magic != memory::kConnectionMagic) {
    return {memory::kRefusedHeader, "wrong magic number"};
  }
  if (claims.layout_version != kLayoutVersion) {
    return {memory::kRefusedLayoutVersion,
            absl::StrCat("layout version ", claims.layout_version,
                         ", this server has ", kLayoutVersion)};
  }
  if (!claims.SizesFit(object)) {
    return {memory::kRefusedHeader,
            absl::StrCat("rings of ", claims.ring_size_bytes, " bytes in ",
                         claims.total_size_bytes, ", the object has ",
                         object.mapping.size_bytes())};
  }
  if (!claims.IsKnock() && !object.mapping.owner().is_self) {
    return {memory::kRefusedIdentity,
            absl::StrCat("a connection that user ", object.mapping.owner().user,
                         " made, who has to knock")};
  }
  const auto witness = object.mapping.CreatorPid();
  if (!witness && object.mapping.CreatorIsGone()) {
    return {memory::kRefusedIdentity,
            absl::StrCat("nobody vouches for its pid, ", claims.client.pid,
                         ": who made it does not hold it, or has ended")};
  }
  if (witness && *witness != claims.client.pid) {
    return {memory::kRefusedPidNamespace,
            absl::StrCat("it says its pid is ", claims.client.pid,
                         ", the system says ", *witness)};
  }
  if (!platform::IsAlive(claims.client)) {
    return {
        memory::kRefusedIdentity,
        absl::StrCat("no process ", claims.client.pid, " with its start time")};
  }
  return {};
}

// A seat, or the verdict that there is none.
Verdict Seat(ClientQuotas* quotas, const ConnectionClaims& claims,
             const ConnectionObject& offered,
             std::unique_ptr<ClientQuotas::Seat>* seat) {
  ClientQuotas::Admitted admitted = quotas->Admit(
      claims.client, claims.IsKnock()
                         ? memory::ConnectionSizeBytes(memory::kRingSizeBytes)
                         : offered.view.size_bytes());
  *seat = std::move(admitted.seat);
  if (*seat != nullptr) return {};
  return {admitted.refusal,
          absl::StrCat(admitted.refusal == memory::kRefusedClientConnections
                           ? "connections of this process: "
                       : admitted.refusal == memory::kRefusedConnections
                           ? "connections of all clients: "
                           : "bytes of memory for this process: ",
                       admitted.limit, " are allowed"),
          admitted.limit, admitted.log};
}

// What the client's user may open: its connection, and nothing else.
platform::AccessPolicy AccessFor(const platform::ObjectOwner& client_user) {
  platform::AccessPolicy access;
  if (!client_user.is_self) access.user = client_user.user;
  return access;
}

// The connection for a client that knocked.
struct Made {
  Nonce nonce;
  ConnectionObject object;
};

Verdict Make(const Lobby& lobby, const platform::ProcessId& client,
             const platform::ObjectOwner& client_user,
             std::unique_ptr<Made>* made) {
  const Nonce nonce = Nonce::Random();
  ConnectionShape shape;
  shape.client = client;
  shape.slots_nonce = lobby.slots_nonce();
  auto object =
      CreateConnectionObject(ConnectionName(lobby.slots_scope(), nonce), shape,
                             AccessFor(client_user));
  if (!object.ok()) {
    return {absl::IsResourceExhausted(object.status())
                ? memory::kRefusedNoMemory
                : memory::kRefusedNotMade,
            std::string(object.status().message())};
  }
  *made = std::make_unique<Made>(Made{nonce, *std::move(object)});
  return {};
}

void Refuse(ConnectionObject* offered, const Verdict& verdict) {
  memory::ConnectionPage* const page = offered->page();
  Guarded(offered->view, [&] {
    page->hello.refusal = verdict.refusal;
    SHMRPC_STORE_POINT("hello.refusal");
    page->hello.limit = verdict.limit;
    SHMRPC_STORE_POINT("hello.limit");
    page->hello.server_clock_ns = platform::MonotonicNowNs();
    SHMRPC_STORE_POINT("hello.clock of a refusal");
    // SYNC(hello): release pairs with the client's acquire.
    page->hello.state.store(memory::kHelloRefused, std::memory_order_release);
    SHMRPC_STORE_POINT("hello.refused");
  });
  offered->client_event.Signal();
}

// Tells the client that it is accepted, and where: in what it offered itself,
// or in `made`. False: one that knocked has given up.
bool Welcome(ConnectionObject* offered, const Made* made, int64_t now_ns) {
  memory::ConnectionPage* const page = offered->page();
  bool gave_up = false;
  Guarded(offered->view, [&] {
    if (made != nullptr) {
      page->hello.connection_nonce[0] = made->nonce.high;
      SHMRPC_STORE_POINT("hello.connection nonce high");
      page->hello.connection_nonce[1] = made->nonce.low;
      SHMRPC_STORE_POINT("hello.connection nonce low");
    }
    page->hello.server_clock_ns = now_ns;
    SHMRPC_STORE_POINT("hello.clock");
    // SYNC(hello): release pairs with the client's acquire.
    page->hello.state.store(memory::kHelloAccepted, std::memory_order_release);
    SHMRPC_STORE_POINT("hello.accepted");
    // Relaxed: one that gives up a moment later is dropped when the next client
    // comes (HeldByClient).
    gave_up = made != nullptr && page->side[memory::kClientSide].closed.load(
                                     std::memory_order_relaxed) != 0;
  });
  offered->client_event.Signal();
  return !gave_up;
}

// `made`, `seat`: may be null.
Connection::Parts PartsOf(ConnectionObject offered, Made* made,
                          const ConnectionClaims& claims,
                          const ClientQuotas::Seat* seat) {
  Connection::Parts parts;
  // A private copy: the object is given away below.
  const platform::ObjectOwner owner = offered.mapping.owner();
  if (made != nullptr) parts.witness = std::move(offered.mapping);
  ConnectionObject& object = made != nullptr ? made->object : offered;
  parts.name = object.name;
  parts.mapping = std::move(object.mapping);
  parts.view = std::move(object.view);
  parts.ring_size_bytes =
      made != nullptr ? memory::kRingSizeBytes : claims.ring_size_bytes;
  parts.segment_access = AccessFor(owner);
  parts.peer = claims.client;
  parts.peer_user = owner.user;
  parts.same_user = owner.is_self;
  if (seat != nullptr) parts.memory_account = seat->memory_account();
  parts.peer_event = std::move(object.client_event);
  return parts;
}

// The header is at most as old as the connect's time-out, and never from the
// future: anything else is another clock. Clamped first: it is whatever the
// client wrote, and the difference must not overflow.
int64_t ClockOffsetNs(const ConnectionClaims& claims, int64_t now_ns) {
  const int64_t client_now_ns =
      std::min(std::max(claims.client_clock_ns, -kCenturyNs), kCenturyNs);
  const int64_t age_ns = now_ns - client_now_ns;
  return age_ns < 0 || age_ns > 60 * kSecondNs ? age_ns : 0;
}

}  // namespace

Acceptor::Acceptor(Lobby* lobby, OnAccepted on_accepted, ClientQuotas* quotas)
    : lobby_(lobby),
      on_accepted_(std::move(on_accepted)),
      quotas_(quotas),
      thread_([this] { Run(); }) {}

Acceptor::~Acceptor() {
  // Relaxed: Interrupt orders it before the wait it ends.
  stop_.store(true, std::memory_order_relaxed);
  waiter_.Interrupt();
  thread_.join();
}

void Acceptor::Run() {
  LobbyKeeper keeper(lobby_, &waiter_);
  while (!stop_.load(std::memory_order_relaxed)) {
    int64_t look_ns = keeper.look_ns();
    if (lobby_->look_ns() != platform::kNever) {
      look_ns =
          std::min(look_ns, platform::MonotonicNowNs() + lobby_->look_ns());
    }
    const platform::WaitResult result = waiter_.WaitForHint(
        keeper.usable() ? lobby_->accept_event() : nullptr, look_ns);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (keeper.Look()) {
      Accepted restored;
      restored.lobby_restored = true;
      on_accepted_(std::move(restored)).IgnoreError();
    }
    TakeOffers();
    if (result == platform::WaitResult::kPoisoned && keeper.usable()) {
      // Not the memory, then: the system could not wait. Rather slow than
      // spinning.
      waiter_.Wait(nullptr, platform::MonotonicNowNs() + LobbyKeeper::kPauseNs);
    }
  }
}

void Acceptor::TakeOffers() {
  struct Offer {
    Nonce nonce;
    uint32_t pid;
  };
  Offer offers[memory::kSlotCount];
  uint32_t count = 0;
  LobbySlots* slots = lobby_->slots();
  Guarded(lobby_->slots_view(), [&] {
    for (memory::AcceptSlot& slot : slots->slots) {
      // SYNC(slot-offered): acquire pairs with the client's release.
      uint64_t state = slot.state.load(std::memory_order_acquire);
      const uint32_t pid = static_cast<uint32_t>(state >> 32);
      switch (static_cast<uint32_t>(state)) {
        case memory::kSlotFree:
          continue;
        case memory::kSlotOffered:
          // Relaxed: ordered by the acquire above.
          offers[count] = {{slot.nonce[0].load(std::memory_order_relaxed),
                            slot.nonce[1].load(std::memory_order_relaxed)},
                           pid};
          // SYNC(slot-freed): release pairs with the next client's acquire.
          if (slot.state.compare_exchange_strong(state, memory::kSlotFree,
                                                 std::memory_order_release,
                                                 std::memory_order_relaxed)) {
            SHMRPC_STORE_POINT("slot.taken");
            ++count;
          }
          continue;
        default:
          // A client that died while it filled the slot, or garbage. Another
          // pid namespace's pid means nothing here, so such a slot is freed
          // early; its client offers again.
          if (!platform::ProcessWithPid(pid).ok()) {
            slot.state.compare_exchange_strong(state, memory::kSlotFree,
                                               std::memory_order_release,
                                               std::memory_order_relaxed);
            SHMRPC_STORE_POINT("slot.reclaimed");
          }
      }
    }
  });
  for (uint32_t i = 0; i < count; ++i)
    AcceptOne(offers[i].nonce, offers[i].pid);
  on_accepted_({}).IgnoreError();
}

void Acceptor::AcceptOne(const Nonce& nonce, uint32_t claimed_pid) {
  // Whose object it is, Judge and the handlers look at.
  auto offered =
      OpenConnectionObject(ConnectionName(lobby_->slots_scope(), nonce),
                           lobby_->open_to_others() ? "*" : "");
  if (!offered.ok()) {
    const std::string why =
        absl::StrCat("connection offered by pid ", claimed_pid, ": ",
                     offered.status().message());
    // Usually a client that gave up or died meanwhile.
    if (absl::IsNotFound(offered.status())) {
      SHMRPC_LOG(kInfo) << why;
    } else {
      SHMRPC_LOG(kWarning) << why;
    }
    return;
  }
  const std::string name = offered->name.name;
  // Its name is needed no more. Freed only once the client has its answer: the
  // system may have the unlink wait until the client has reserved the memory.
  absl::Cleanup free_name = [&] { offered->mapping.Unlink(); };
  ConnectionClaims claims;
  if (!ReadClaims(*offered, &claims)) {
    SHMRPC_LOG(kWarning) << "connection " << name << " was truncated";
    return;
  }
  if (claims.answered) {
    // By a client that was impatient, or by whoever may connect.
    SHMRPC_LOG(kInfo) << "connection " << name << " was offered once more";
    std::move(free_name).Cancel();
    return;
  }
  if (claims.layout_version == kLayoutVersion &&
      claims.slots_nonce_low != lobby_->slots_nonce().low) {
    // Put into our slots by somebody who saw its name: its client waits for
    // another server's answer, and knows nothing of this one.
    SHMRPC_LOG(kWarning) << "connection " << name << ", offered by pid "
                         << claimed_pid << ", is for another server";
    std::move(free_name).Cancel();
    return;
  }

  std::unique_ptr<ClientQuotas::Seat> seat;
  std::unique_ptr<Made> made;  // if it is a knock
  Verdict verdict = Judge(claims, *offered);
  const int64_t now_ns = platform::MonotonicNowNs();
  if (refusing_.load(std::memory_order_relaxed)) {  // see RefuseAll
    verdict = {memory::kRefusedShuttingDown, "", 0, /*log=*/false};
  }
  if (verdict.refusal == memory::kRefusedNone && quotas_ != nullptr) {
    verdict = Seat(quotas_, claims, *offered, &seat);
  }
  if (verdict.refusal == memory::kRefusedNone && claims.IsKnock()) {
    verdict = Make(*lobby_, claims.client, offered->mapping.owner(), &made);
  }
  if (verdict.refusal != memory::kRefusedNone) {
    if (verdict.log) {
      SHMRPC_LOG(kWarning) << "connection " << name << " of pid " << claimed_pid
                           << " refused: " << verdict.reason;
    }
    Refuse(&*offered, verdict);
    return;
  }

  // Says "accepted" before the connection is handed over: from then on it may
  // be gone any time. The client can do no more than fill its ring.
  const bool gave_up = !Welcome(&*offered, made.get(), now_ns);
  offered->mapping.Unlink();
  std::move(free_name).Cancel();
  if (gave_up) return;
  Accepted accepted;
  accepted.clock_offset_ns = ClockOffsetNs(claims, now_ns);
  accepted.connection = std::make_unique<Connection>(
      memory::kServerSide,
      PartsOf(*std::move(offered), made.get(), claims, seat.get()));
  accepted.seat = std::move(seat);
  const absl::Status taken = on_accepted_(std::move(accepted));
  if (!taken.ok()) {
    // The connection was dropped, which tells the client.
    SHMRPC_LOG(kWarning) << "connection of pid " << claims.client.pid << ": "
                         << taken.message();
  }
}

}  // namespace link
}  // namespace shmrpc
