#include "transport/link/accept.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "shmrpc/version.h"
#include "transport/link/lobby_keeper.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {
namespace {

using memory::ConnectionHeader;
using memory::ConnectionPage;
using memory::LobbySlots;
using platform::Guarded;

constexpr int64_t kSecondNs = 1000 * 1000 * 1000;
constexpr int64_t kCenturyNs = int64_t{100} * 365 * 24 * 3600 * kSecondNs;

// A private copy of the client's header.
struct HeaderCopy {
  uint64_t magic = 0;
  uint32_t layout_version = 0;
  platform::ProcessId client;
  uint64_t ring_size_bytes = 0;
  uint64_t total_size_bytes = 0;
  int64_t client_clock_ns = 0;
  bool answered = false;  // by this server: it is offered a second time
};

struct Verdict {
  memory::Refusal refusal = memory::kRefusedNone;
  std::string reason;
  uint64_t limit = 0;
  bool log = true;
};

Verdict Judge(const HeaderCopy& header, const platform::NamedMapping& mapping) {
  if (header.magic != memory::kConnectionMagic) {
    return {memory::kRefusedHeader, "wrong magic number"};
  }
  if (header.layout_version != kLayoutVersion) {
    return {memory::kRefusedLayoutVersion,
            absl::StrCat("layout version ", header.layout_version,
                         ", this server has ", kLayoutVersion)};
  }
  if (!memory::ValidRingSize(header.ring_size_bytes) ||
      header.total_size_bytes !=
          memory::ConnectionSizeBytes(header.ring_size_bytes) ||
      mapping.size_bytes() < header.total_size_bytes) {
    return {memory::kRefusedHeader,
            absl::StrCat("rings of ", header.ring_size_bytes, " bytes in ",
                         header.total_size_bytes, ", the object has ",
                         mapping.size_bytes())};
  }
  const auto witness = mapping.CreatorPid();
  if (witness && *witness != header.client.pid) {
    return {memory::kRefusedPidNamespace,
            absl::StrCat("it says its pid is ", header.client.pid,
                         ", the system says ", *witness)};
  }
  if (!platform::IsAlive(header.client)) {
    return {
        memory::kRefusedIdentity,
        absl::StrCat("no process ", header.client.pid, " with its start time")};
  }
  return {};
}

// A seat, or the verdict that there is none.
Verdict Seat(ClientQuotas* quotas, const platform::ProcessId& client,
             uint64_t size_bytes, std::unique_ptr<ClientQuotas::Seat>* seat) {
  ClientQuotas::Admitted admitted = quotas->Admit(client, size_bytes);
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
    const platform::WaitResult result = waiter_.Wait(
        keeper.usable() ? lobby_->accept_event() : nullptr, keeper.look_ns());
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
  const platform::ObjectName name =
      ConnectionName(lobby_->slots_scope(), nonce);
  platform::OpenOptions options;
  options.hold = false;
  auto mapping = platform::NamedMapping::Open(name, options);
  if (!mapping.ok()) {
    // Usually a client that gave up or died meanwhile.
    SHMRPC_LOG(kInfo) << "connection offered by pid " << claimed_pid << ": "
                      << mapping.status().message();
    return;
  }
  // Its name is needed no more. Freed only once the client has its answer: the
  // system may have the unlink wait until the client has reserved the memory.
  absl::Cleanup free_name = [&] { mapping->Unlink(); };
  // Not mapped if it cannot be one: an enormous object would take the address
  // space, on Windows the memory, of everybody.
  if (mapping->size_bytes() <
          memory::ConnectionSizeBytes(memory::kMinRingSizeBytes) ||
      mapping->size_bytes() >
          memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes)) {
    SHMRPC_LOG(kWarning) << "connection " << name.name << " of pid "
                         << claimed_pid << " has " << mapping->size_bytes()
                         << " bytes: no connection has";
    return;
  }
  auto view =
      mapping->Map(0, mapping->size_bytes(), platform::Access::kReadWrite);
  if (!view.ok()) {
    SHMRPC_LOG(kError) << "connection " << name.name << ": "
                       << view.status().message();
    return;
  }
  auto* page = reinterpret_cast<ConnectionPage*>(view->data());
  auto client_event =
      platform::Event::Open(name.WithSuffix(".w"), &page->client_wake.word);
  if (!client_event.ok()) {
    SHMRPC_LOG(kError) << "connection " << name.name << ": "
                       << client_event.status().message();
    return;
  }
  HeaderCopy header;
  if (!Guarded(*view, [&] {
        const ConnectionHeader& h = page->header;
        // SYNC(connection-ready): acquire pairs with the client's release.
        header.magic = h.magic.load(std::memory_order_acquire);
        header.layout_version = h.layout_version;
        header.client = {h.client_pid, h.client_start_time};
        header.ring_size_bytes = h.ring_size_bytes;
        header.total_size_bytes = h.total_size_bytes;
        header.client_clock_ns = h.client_clock_ns;
        // Relaxed: this thread wrote it, or the client lies to itself.
        header.answered = page->hello.state.load(std::memory_order_relaxed) !=
                          memory::kHelloPending;
      })) {
    SHMRPC_LOG(kWarning) << "connection " << name.name << " was truncated";
    return;
  }
  if (header.answered) {
    std::move(free_name).Cancel();
    return;
  }

  Verdict verdict = Judge(header, *mapping);
  std::unique_ptr<ClientQuotas::Seat> seat;
  if (verdict.refusal == memory::kRefusedNone && quotas_ != nullptr) {
    verdict = Seat(quotas_, header.client, view->size_bytes(), &seat);
  }
  const int64_t now_ns = platform::MonotonicNowNs();
  const platform::View* guard_view = nullptr;
  if (verdict.refusal == memory::kRefusedNone) {
    Connection::Parts parts{name,
                            *std::move(mapping),
                            *std::move(view),
                            header.ring_size_bytes,
                            *std::move(client_event),
                            nullptr,
                            header.client,
                            lobby_->access(),
                            seat != nullptr ? seat->memory_account() : nullptr};
    Accepted accepted;
    accepted.seat = std::move(seat);
    accepted.connection =
        std::make_unique<Connection>(memory::kServerSide, std::move(parts));
    // The header is at most as old as the connect's time-out, and never from
    // the future: anything else is another clock. Clamped first: it is whatever
    // the client wrote, and the difference must not overflow.
    const int64_t client_now_ns =
        std::min(std::max(header.client_clock_ns, -kCenturyNs), kCenturyNs);
    const int64_t age_ns = now_ns - client_now_ns;
    if (age_ns < 0 || age_ns > 60 * kSecondNs)
      accepted.clock_offset_ns = age_ns;
    Connection* connection = accepted.connection.get();
    // Says "accepted" before the connection is handed over: from then on it may
    // be gone any time. The client can do no more than fill its ring.
    guard_view = &connection->view();
    Guarded(*guard_view, [&] {
      page->hello.server_clock_ns = now_ns;
      SHMRPC_STORE_POINT("hello.clock");
      // SYNC(hello): release pairs with the client's acquire.
      page->hello.state.store(memory::kHelloAccepted,
                              std::memory_order_release);
      SHMRPC_STORE_POINT("hello.accepted");
    });
    connection->RingPeer();
    std::move(free_name).Cancel();
    connection->mapping().Unlink();
    const absl::Status taken = on_accepted_(std::move(accepted));
    if (!taken.ok()) {
      // The connection was dropped, which tells the client.
      SHMRPC_LOG(kWarning) << "connection of pid " << header.client.pid << ": "
                           << taken.message();
    }
    return;
  }
  if (verdict.log) {
    SHMRPC_LOG(kWarning) << "connection " << name.name << " of pid "
                         << claimed_pid << " refused: " << verdict.reason;
  }
  Guarded(*view, [&] {
    page->hello.refusal = verdict.refusal;
    SHMRPC_STORE_POINT("hello.refusal");
    page->hello.limit = verdict.limit;
    SHMRPC_STORE_POINT("hello.limit");
    page->hello.server_clock_ns = now_ns;
    SHMRPC_STORE_POINT("hello.clock of a refusal");
    page->hello.state.store(memory::kHelloRefused, std::memory_order_release);
    SHMRPC_STORE_POINT("hello.refused");
  });
  client_event->Signal();
}

}  // namespace link
}  // namespace shmrpc
