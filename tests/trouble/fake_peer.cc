#include "tests/trouble/fake_peer.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "shmrpc/version.h"
#include "transport/platform/clock.h"
#include "transport/platform/process.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

template <class T>
T Need(const char* what, absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s: %s\n", what, result.status().ToString().c_str());
  std::abort();
}

}  // namespace

link::Address AddressOf(const std::string& target) {
  return Need("address", link::ParseAddress(target));
}

void FillHeader(uint64_t ring_size_bytes, uint64_t total_size_bytes,
                memory::ConnectionHeader* header) {
  const platform::ProcessId self = platform::CurrentProcess();
  header->layout_version = kLayoutVersion;
  header->header_bytes = sizeof(memory::ConnectionHeader);
  header->client_pid = self.pid;
  header->client_start_time = self.start_time;
  header->ring_size_bytes = ring_size_bytes;
  header->total_size_bytes = total_size_bytes;
  header->client_clock_ns = platform::MonotonicNowNs();
  // Release: as a real client's SYNC(connection-ready).
  header->magic.store(memory::kConnectionMagic, std::memory_order_release);
}

absl::StatusOr<FakeClient> FakeClient::Find(const std::string& target) {
  FakeClient fake;
  auto server = link::ReadIdentity(AddressOf(target));
  if (!server.ok()) return server.status();
  fake.server_ = *std::move(server);
  const platform::ObjectName name =
      link::SlotsName(fake.server_.slots_scope, fake.server_.slots_nonce);
  platform::OpenOptions options;
  options.hold = false;
  auto mapping = platform::NamedMapping::Open(name, options);
  if (!mapping.ok()) return mapping.status();
  fake.slots_mapping_ = *std::move(mapping);
  auto view = fake.slots_mapping_.Map(0, sizeof(memory::LobbySlots),
                                      platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  fake.slots_view_ = *std::move(view);
  auto event = platform::Event::Open(name.WithSuffix(".a"),
                                     &fake.slots()->accept_wake.word);
  if (!event.ok()) return event.status();
  fake.accept_event_ = *std::move(event);
  return fake;
}

FakeClient::FakeClient(const std::string& target)
    : FakeClient(Need("server", Find(target))) {}

void FakeClient::Offer(
    uint64_t size_bytes,
    const std::function<void(memory::ConnectionHeader*)>& edit) {
  const link::Nonce nonce = link::Nonce::Random();
  const platform::ObjectName name =
      link::ConnectionName(server_.slots_scope, nonce);
  view_ = platform::View();
  mapping_ = Need(
      "connection",
      platform::NamedMapping::Create(name, size_bytes, {}, [&](uint8_t* d) {
        auto* header = reinterpret_cast<memory::ConnectionHeader*>(d);
        FillHeader(memory::kRingSizeBytes,
                   memory::ConnectionSizeBytes(memory::kRingSizeBytes), header);
        header->slots_nonce_low = server_.slots_nonce.low;
        edit(header);
        return absl::OkStatus();
      }));
  view_ = Need("connection", mapping_.Map(0, mapping_.size_bytes(),
                                          platform::Access::kReadWrite));
  auto* page = reinterpret_cast<memory::ConnectionPage*>(view_.data());
  own_event_ =
      Need("event", platform::Event::Create(name.WithSuffix(".w"),
                                            &page->client_wake.word, {}));
  PutIntoSlot(nonce);
}

void FakeClient::Offer(
    const std::function<void(memory::ConnectionHeader*)>& edit) {
  Offer(memory::ConnectionSizeBytes(memory::kRingSizeBytes), edit);
}

void FakeClient::OfferNothing() { PutIntoSlot(link::Nonce::Random()); }

void FakeClient::PutIntoSlot(const link::Nonce& nonce) {
  const uint64_t owner = static_cast<uint64_t>(platform::CurrentProcess().pid)
                         << 32;
  for (memory::AcceptSlot& slot : slots()->slots) {
    uint64_t expected = memory::kSlotFree;
    // Acquire and release: as a real client's SYNC(slot-freed), (slot-offered).
    if (!slot.state.compare_exchange_strong(expected,
                                            owner | memory::kSlotClaimed,
                                            std::memory_order_acquire)) {
      continue;
    }
    slot.nonce[0].store(nonce.high, std::memory_order_relaxed);
    slot.nonce[1].store(nonce.low, std::memory_order_relaxed);
    slot.state.store(owner | memory::kSlotOffered, std::memory_order_release);
    accept_event_.Signal();
    return;
  }
  std::fprintf(stderr, "FakeClient: no slot is free\n");
  std::abort();
}

int FakeClient::ClaimAllSlots(uint32_t pid) {
  int claimed = 0;
  for (memory::AcceptSlot& slot : slots()->slots) {
    uint64_t expected = memory::kSlotFree;
    // Relaxed: nothing is published.
    claimed += slot.state.compare_exchange_strong(
        expected, static_cast<uint64_t>(pid) << 32 | memory::kSlotClaimed,
        std::memory_order_relaxed);
  }
  return claimed;
}

memory::Refusal FakeClient::AwaitAnswer() {
  Watchdog dog(30, "the server's answer to a fake client");
  auto* page = reinterpret_cast<memory::ConnectionPage*>(view_.data());
  platform::Waiter waiter;
  // Acquire: as a real client's SYNC(hello).
  while (page->hello.state.load(std::memory_order_acquire) ==
         memory::kHelloPending) {
    waiter.Wait(&own_event_, platform::kNever);
  }
  return static_cast<memory::Refusal>(page->hello.refusal);
}

platform::NamedMapping MakeFakeLobby(
    const std::string& target,
    const std::function<void(memory::LobbyIdentity*)>& edit) {
  return Need("lobby",
              platform::NamedMapping::Create(
                  AddressOf(target).IdentityName(),
                  sizeof(memory::LobbyIdentity), {}, [&](uint8_t* data) {
                    auto* identity =
                        reinterpret_cast<memory::LobbyIdentity*>(data);
                    const platform::ProcessId self = platform::CurrentProcess();
                    identity->layout_version = kLayoutVersion;
                    identity->identity_bytes = sizeof(memory::LobbyIdentity);
                    identity->pid = self.pid;
                    identity->start_time = self.start_time;
                    identity->slot_count = memory::kSlotCount;
                    // Release: as a server's SYNC(lobby-ready).
                    identity->magic.store(memory::kLobbyMagic,
                                          std::memory_order_release);
                    edit(identity);
                    return absl::OkStatus();
                  }));
}

}  // namespace testing
}  // namespace shmrpc
