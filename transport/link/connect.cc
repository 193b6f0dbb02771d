#include "transport/link/connect.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "transport/link/connection_object.h"
#include "transport/link/entrance.h"
#include "transport/link/lobby.h"
#include "transport/link/slot_offer.h"
#include "transport/memory/arena.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {
namespace {

using platform::NamedMapping;

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
  platform::ReclaimAbandoned(server.slots_scope, kConnectionPrefix,
                             memory::IsKeptForAProcess);
  ConnectionShape shape;
  shape.client = self;
  shape.slots_nonce = server.slots_nonce;
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
  // A connection that was made for another process is none for this one, nor
  // is one that another server made.
  if (!ReadClaims(*object, &claims) ||
      !(claims.client == platform::CurrentProcess()) ||
      claims.slots_nonce_low != server.slots_nonce.low ||
      claims.magic != memory::kConnectionMagic || claims.IsKnock() ||
      !claims.SizesFit(*object)) {
    return absl::DataLossError(absl::StrCat(
        address.ToString(), ": the connection object ", object->name.name,
        " that its server made makes no sense"));
  }
  *ring_size_bytes = claims.ring_size_bytes;
  return object;
}

// One Connect, step by step.
class Handshake {
 public:
  Handshake(const Address& address, ConnectOptions options)
      : address_(address), options_(std::move(options)) {
    death_->cancel = options_.cancel != nullptr
                         ? options_.cancel
                         : std::make_shared<ConnectCancel>();
  }

  absl::StatusOr<ClientLink> Run() {
    absl::Status status = FindServer();
    if (status.ok()) status = MakeOffered();
    if (status.ok()) status = WatchServer();
    if (status.ok()) status = AwaitAnswer();
    if (status.ok() && knocks()) status = TakeMade();
    if (!status.ok()) return status;
    return MakeLink();
  }

 private:
  // What the server wrote into the object that it was offered.
  struct Answer {
    uint32_t state = memory::kHelloPending;
    uint32_t refusal = memory::kRefusedNone;
    uint64_t limit = 0;
    Nonce made;
  };

  const ServerIdentity& server() const { return entrance_->server(); }
  bool knocks() const { return server().MakesConnections(); }

  absl::Status FindServer();
  absl::Status MakeOffered();
  absl::Status WatchServer();
  absl::Status AwaitAnswer();
  absl::Status Offer(int64_t* pause_ns);
  absl::Status Reserve();
  absl::Status ReadAnswer();
  absl::Status GiveUp(absl::Status status);
  absl::Status TakeMade();
  ClientLink MakeLink();

  const Address address_;
  ConnectOptions options_;
  const std::shared_ptr<ServerDeath> death_ = std::make_shared<ServerDeath>();
  Entrance::Ptr entrance_;
  platform::Event poller_event_;
  ConnectionObject object_;  // what is offered; in the end the connection's
  absl::optional<SlotOffer> slot_;
  bool reserved_ = false;
  int64_t slots_gone_ns_ = 0;  // since when; 0: they are there
  Answer answer_;
  // Of a knock's answer.
  NamedMapping witness_;
  uint64_t ring_size_bytes_ = memory::kRingSizeBytes;
  // Last: what it calls uses the others.
  std::unique_ptr<platform::DeathWatch> watch_;
};

absl::Status Handshake::FindServer() {
  auto found = FindSoon(address_, options_.server_user, options_.deadline_ns,
                        death_->cancel.get());
  if (!found.ok()) return found.status();
  entrance_ = *std::move(found);
  auto poller_event = platform::Event::Open(
      SlotsName(server().slots_scope, server().slots_nonce).WithSuffix(".p"),
      &entrance_->slots()->poller_wake.word);
  if (!poller_event.ok()) return poller_event.status();
  poller_event_ = *std::move(poller_event);
  return absl::OkStatus();
}

// The connection object, complete before anyone can find it; the memory of its
// rings follows while the server wakes up. Or a knock.
absl::Status Handshake::MakeOffered() {
  const Nonce nonce = Nonce::Random();
  const platform::ProcessId self = platform::CurrentProcess();
  auto offered = knocks()
                     ? MakeKnock(server(), nonce, self)
                     : CreateConnectionObject(
                           ConnectionName(server().slots_scope, nonce),
                           {self, server().slots_nonce, memory::kRingSizeBytes,
                            /*reserve_late=*/true},
                           {});
  if (!offered.ok()) return offered.status();
  object_ = *std::move(offered);
  reserved_ = knocks();
  slot_.emplace(entrance_->slots(), nonce, self.pid);
  return absl::OkStatus();
}

absl::Status Handshake::WatchServer() {
  auto watch = platform::DeathWatch::Start(
      server().process,
      [death = death_, on_server_death = std::move(options_.on_server_death)] {
        // Relaxed: Interrupt and the wait it ends order it.
        death->dead.store(true, std::memory_order_relaxed);  // not shared
        death->cancel->waiter()->Interrupt();
        if (on_server_death != nullptr) on_server_death();
      });
  if (absl::IsNotFound(watch.status())) return Gone(address_);
  if (!watch.ok()) return watch.status();
  watch_ = *std::move(watch);
  return absl::OkStatus();
}

// Rings again after 1, 10, 100 ms, then each second: slots are shared with
// other clients, any of which might have spoilt ours or taken our signal.
absl::Status Handshake::AwaitAnswer() {
  int64_t pause_ns = kMillisecondNs;
  for (;;) {
    if (absl::Status status = Offer(&pause_ns); !status.ok()) return status;
    if (absl::Status status = Reserve(); !status.ok()) return status;
    const int64_t again_ns = platform::MonotonicNowNs() + pause_ns;
    death_->cancel->waiter()->Wait(&object_.client_event,
                                   std::min(options_.deadline_ns, again_ns));
    if (absl::Status status = ReadAnswer(); !status.ok()) return status;
    if (answer_.state != memory::kHelloPending) break;
    // Relaxed: see WatchServer.
    if (death_->dead.load(std::memory_order_relaxed)) return Gone(address_);
    const int64_t now_ns = platform::MonotonicNowNs();
    if (death_->cancel->cancelled()) {
      return GiveUp(absl::CancelledError(absl::StrCat(
          address_.ToString(), ": connecting to it was cancelled")));
    }
    if (now_ns >= options_.deadline_ns) {
      return GiveUp(absl::DeadlineExceededError(absl::StrCat(
          address_.ToString(), ": its server (pid ", server().process.pid,
          ") did not answer the connection handshake")));
    }
    if (now_ns >= again_ns)
      pause_ns = std::min(pause_ns * 10, 1000 * kMillisecondNs);
  }
  if (answer_.state == memory::kHelloAccepted) return absl::OkStatus();
  return Refused(address_, answer_.refusal, answer_.limit);
}

// Offers the object and rings. `*pause_ns`: until the next time.
absl::Status Handshake::Offer(int64_t* pause_ns) {
  if (platform::Guarded(entrance_->slots_view(), [&] {
        // A server that has taken it and is slow finds nothing new in a second
        // one.
        if (*pause_ns >= kOfferAgainNs) slot_->ForgetIfGone();
        slot_->Make();
        entrance_->accept_event()->SignalAll();  // one sleeper, if honest
      })) {
    return absl::OkStatus();
  }
  // Whatever stood there is lost, so it is offered anew.
  slot_->Forget();
  const int64_t now_ns = platform::MonotonicNowNs();
  if (slots_gone_ns_ == 0) slots_gone_ns_ = now_ns;
  if (entrance_->Restore()) {
    slots_gone_ns_ = 0;
    *pause_ns = kMillisecondNs;
  } else if (now_ns - slots_gone_ns_ >= kRepairPatienceNs) {
    return GiveUp(absl::DataLossError(absl::StrCat(
        address_.ToString(),
        ": its accept slots are gone (truncated by some process of this "
        "user), and it does not make them good; try again")));
  }
  return absl::OkStatus();
}

absl::Status Handshake::Reserve() {
  if (reserved_) return absl::OkStatus();
  if (absl::Status status = object_.mapping.Reserve(); !status.ok()) {
    return GiveUp(std::move(status));
  }
  reserved_ = true;
  return absl::OkStatus();
}

absl::Status Handshake::ReadAnswer() {
  const memory::ServerHello& hello = object_.page()->hello;
  if (platform::Guarded(object_.view, [&] {
        // SYNC(hello): acquire pairs with the server's release.
        answer_.state = hello.state.load(std::memory_order_acquire);
        answer_.refusal = hello.refusal;
        answer_.limit = hello.limit;
        answer_.made = {hello.connection_nonce[0], hello.connection_nonce[1]};
      })) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("connection ", object_.name.name, " was truncated"));
}

// A server that took the offer meanwhile is told, too. Returns `status`.
absl::Status Handshake::GiveUp(absl::Status status) {
  platform::Guarded(object_.view, [&] {
    // SYNC(closed)
    object_.page()->side[memory::kClientSide].closed.store(
        1, std::memory_order_release);
    SHMRPC_STORE_POINT("connect.given up");
  });
  platform::Guarded(entrance_->slots_view(), [&] {
    slot_->Withdraw();
    poller_event_.SignalAll();
  });
  return status;
}

// The connection that the server made for this process; `object_` is the knock
// so far, and held on without a name: the server looks whether it is.
absl::Status Handshake::TakeMade() {
  auto opened = OpenMade(address_, server(), answer_.made, &ring_size_bytes_);
  if (!opened.ok()) return opened.status();
  witness_ = std::move(object_.mapping);
  witness_.Unlink();
  object_ = *std::move(opened);
  return absl::OkStatus();
}

ClientLink Handshake::MakeLink() {
  ClientLink link;
  link.own_event = std::move(object_.client_event);
  link.watch = std::move(watch_);
  Connection::Parts parts;
  parts.name = object_.name;
  parts.mapping = std::move(object_.mapping);
  parts.view = std::move(object_.view);
  parts.ring_size_bytes = ring_size_bytes_;
  parts.segment_access = SegmentAccess(server());
  parts.witness = std::move(witness_);
  parts.peer = server().process;
  parts.peer_user = server().user;
  parts.same_user = server().same_user;
  parts.memory_account = std::move(options_.memory_account);
  parts.peer_event = std::move(poller_event_);
  parts.peer_event_owner = entrance_;
  parts.restore_peer_event = [entrance = entrance_] {
    return entrance->Restore();
  };
  link.connection =
      std::make_unique<Connection>(memory::kClientSide, std::move(parts));
  return link;
}

}  // namespace

absl::StatusOr<ClientLink> Connect(const Address& address,
                                   ConnectOptions options) {
  return Handshake(address, std::move(options)).Run();
}

bool ServerGone(const Address& address, const platform::ProcessId& server) {
  // Whoever has the name now: it is only compared.
  const auto identity = ReadIdentity(address, "*");
  if (!identity.ok()) return absl::IsNotFound(identity.status());
  return !(identity->process == server);
}

}  // namespace link
}  // namespace shmrpc
