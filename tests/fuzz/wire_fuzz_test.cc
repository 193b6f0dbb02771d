// What is read once and then only its copy: the identity of a server, what a
// client offers in an accept slot, metadata, a status on the wire.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shmrpc/log.h"
#include "shmrpc/version.h"
#include "tests/fuzz/fuzz.h"
#include "transport/link/accept.h"
#include "transport/link/address.h"
#include "transport/link/connect.h"
#include "transport/link/lobby.h"
#include "transport/link/metadata.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"
#include "transport/platform/process.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/rpc/status_wire.h"

namespace shmrpc {
namespace testing {
namespace {

link::Address NewAddress() {
  auto address = link::ParseAddress("shm:" + UniqueName("fuzz"));
  FuzzCheck(address.ok(), "no address");
  return *std::move(address);
}

template <class T>
T Must(absl::StatusOr<T> value, const char* what) {
  FuzzCheck(value.ok(), absl::StrCat(what, ": ", value.status().ToString()));
  return *std::move(value);
}

// Writes a few words of `size_bytes` at `data`.
void Mutate(FuzzInput* input, void* data, uint64_t size_bytes) {
  for (uint32_t i = 1 + input->Below(4); i > 0; --i) {
    const uint64_t value = input->Number();
    const uint64_t width = input->Below(3) == 0 ? 8 : 4;
    memcpy(static_cast<uint8_t*>(data) +
               input->Below(static_cast<uint32_t>(size_bytes / width)) * width,
           &value, width);
    CountMutations(1);
  }
}

// --- metadata, status
// ------------------------------------------------------------

// Metadata as it travels, some of its bytes changed, in memory of its exact
// length.
void FuzzMetadata(FuzzInput* input) {
  std::string bytes;
  for (uint32_t i = input->Below(5); i > 0; --i) {
    link::AppendMetadata(
        input->Below(2) == 0 ? "grpc-message" : std::string(input->Byte(), 'k'),
        std::string(input->Below(300), 'v'), &bytes);
  }
  for (uint32_t i = input->Below(6); i > 0 && !bytes.empty(); --i) {
    bytes[input->Below(static_cast<uint32_t>(bytes.size()))] =
        static_cast<char>(input->Byte());
    CountMutations(1);
  }
  if (input->Below(4) == 0 && !bytes.empty()) {
    bytes.resize(input->Below(static_cast<uint32_t>(bytes.size())));
    CountMutations(1);
  }
  const std::unique_ptr<char[]> exact(new char[bytes.size()]);
  memcpy(exact.get(), bytes.data(), bytes.size());
  const absl::string_view view(exact.get(), bytes.size());
  link::Metadata pairs;
  const absl::Status parsed = link::ParseMetadata(view, &pairs);
  FuzzCheck(parsed.ok() || absl::IsDataLoss(parsed), parsed.ToString());
  uint64_t total = 0;
  for (const auto& pair : pairs) {
    for (const absl::string_view part : {pair.first, pair.second}) {
      FuzzCheck(part.data() >= view.data() &&
                    part.data() + part.size() <= view.data() + view.size(),
                "metadata outside of its bytes");
      total += part.size();
    }
    total += 8;
  }
  FuzzCheck(parsed.ok() ? total == view.size() : total <= view.size(),
            "metadata longer than its bytes");
  const uint32_t code = static_cast<uint32_t>(input->Number());
  CountMutations(1);
  const Status status = internal::StatusFromWire(code, view);
  if (parsed.ok()) {
    FuzzCheck(status.error_code() == static_cast<int32_t>(code),
              "another code");
  }
}

// --- identity
// ------------------------------------------------------------

void FuzzIdentity(FuzzInput* input) {
  static const link::Address address = NewAddress();
  memory::LobbyIdentity identity{};
  const platform::ProcessId self = platform::CurrentProcess();
  identity.magic.store(memory::kLobbyMagic, std::memory_order_relaxed);
  identity.layout_version = kLayoutVersion;
  identity.identity_bytes = sizeof(identity);
  identity.pid = self.pid;
  identity.start_time = self.start_time;
  identity.slot_count = memory::kSlotCount;
  memset(identity.version, input->Byte(), sizeof(identity.version));
  Mutate(input, &identity, sizeof(identity));
  const auto made = Must(platform::NamedMapping::Create(
                             address.IdentityName(), sizeof(identity), {},
                             [&](uint8_t* data) {
                               memcpy(data, &identity, sizeof(identity));
                               return absl::OkStatus();
                             }),
                         "a fake identity");
  const auto read = link::ReadIdentity(address);
  FuzzCheck(read.ok() || absl::IsDataLoss(read.status()) ||
                absl::IsNotFound(read.status()) ||
                absl::IsAborted(read.status()) ||
                absl::IsFailedPrecondition(read.status()),
            read.status().ToString());
  if (read.ok()) {
    // The kernel names nobody as the witness of this process's own object, so
    // another process, or thread, that lives and began in that tick may pass,
    // and nobody else. Windows has no witness at all, and a process that
    // may not be looked at passes for alive (docs/threat_model.md).
    FuzzCheck(read->process == self || platform::IsAlive(read->process) ||
                  !platform::NamedMapping::GuestsMayStay(),
              "an identity of nobody who lives");
    FuzzCheck(read->version.size() <= sizeof(identity.version),
              "a version beyond its field");
  }
}

// --- accept slots and headers
// ------------------------------------------------------------

const link::Address& VictimAddress() {
  // Not destroyed: asked for once more as the program ends.
  static const link::Address* const address = new link::Address(NewAddress());
  return *address;
}

void CheckNothingLeft() {
  FuzzCheck(Leftovers(VictimAddress().IdentityName().name).empty(),
            "the victim's objects outlive the program");
}

// A server that lets every client in and drops it.
class Victim {
 public:
  Victim()
      : lobby_(Must(link::Lobby::Create({VictimAddress()}, {}), "a lobby")),
        acceptor_(lobby_.get(), [this](link::Acceptor::Accepted accepted) {
          if (accepted.connection == nullptr) {
            // Release: what the round has done is done.
            rounds_.fetch_add(1, std::memory_order_release);
            return absl::OkStatus();
          }
          if (link::Connection* c = accepted.connection.get()) {
            link::Frame frame;
            for (int i = 0; i < 64 && c->Next(&frame); ++i) {
            }
          }
          return absl::OkStatus();
        }) {}

  link::Lobby& lobby() { return *lobby_; }

  // Wakes the acceptor and waits until it has looked at the slots.
  void AwaitRound() {
    // Two: the first may have begun before our offer.
    const uint64_t enough = rounds_.load(std::memory_order_acquire) + 2;
    while (rounds_.load(std::memory_order_acquire) < enough) {
      lobby_->accept_event()->Signal();
      platform::YieldThread();
    }
  }

 private:
  std::unique_ptr<link::Lobby> lobby_;
  std::atomic<uint64_t> rounds_{0};
  link::Acceptor acceptor_;
};

void FuzzOffer(FuzzInput* input) {
  // Registered before the victim is made, so called after its end.
  static const bool registered = std::atexit(CheckNothingLeft) == 0;
  FuzzCheck(registered, "atexit failed");
  static Victim victim;
  const platform::ProcessId self = platform::CurrentProcess();
  const uint64_t ring_bytes = memory::kMinRingSizeBytes;
  const link::Nonce nonce = link::Nonce::Random();
  const uint64_t size_bytes = input->Below(8) == 0
                                  ? 1 + input->Below(65536)
                                  : memory::ConnectionSizeBytes(ring_bytes);
  const auto made = Must(
      platform::NamedMapping::Create(
          link::ConnectionName(victim.lobby().slots_scope(), nonce), size_bytes,
          {},
          [&](uint8_t* data) {
            auto* header = reinterpret_cast<memory::ConnectionHeader*>(data);
            header->magic.store(memory::kConnectionMagic,
                                std::memory_order_relaxed);
            header->layout_version = kLayoutVersion;
            header->header_bytes = sizeof(*header);
            header->client_pid = self.pid;
            header->client_start_time = self.start_time;
            header->ring_size_bytes = ring_bytes;
            header->total_size_bytes = memory::ConnectionSizeBytes(ring_bytes);
            header->client_clock_ns = platform::MonotonicNowNs();
            header->slots_nonce_low = victim.lobby().slots_nonce().low;
            Mutate(input, data, sizeof(*header));
            // And what the rings have from the start.
            Mutate(
                input, data,
                std::min<uint64_t>(std::max<uint64_t>(size_bytes, 64), 8192));
            return absl::OkStatus();
          }),
      "an offered object");
  memory::LobbySlots* slots = victim.lobby().slots();
  memory::AcceptSlot& slot = slots->slots[input->Below(memory::kSlotCount)];
  slot.nonce[0].store(nonce.high, std::memory_order_relaxed);
  slot.nonce[1].store(nonce.low, std::memory_order_relaxed);
  slot.state.store(uint64_t{self.pid} << 32 | memory::kSlotOffered,
                   std::memory_order_release);
  if (input->Below(4) == 0) {
    Mutate(input, slots->slots, sizeof(slots->slots));
  }
  if (input->Below(8) == 0) {
    Mutate(input, &slots->accept_wake, 2 * sizeof(memory::WakeLine));
  }
  victim.AwaitRound();
  // An honest client still gets in.
  if (input->Below(8) == 0) {
    // Some process claims all slots for ever: nobody gets in, and nothing can
    // be done about it. Not what is tested here.
    for (memory::AcceptSlot& s : slots->slots) {
      s.state.store(memory::kSlotFree, std::memory_order_relaxed);
    }
    Must(link::Connect(VictimAddress()),
         "an honest client beside the hostile one");
  }
}

}  // namespace

void FuzzOne(FuzzInput* input) {
  static const bool quiet = (SetLogLevel(LogSeverity::kNone), true);
  FuzzCheck(quiet, "");
  // Offers and identities are system calls; metadata is cheap.
  switch (input->Below(8)) {
    case 0:
      for (int i = 0; i < 4 && !input->empty(); ++i) FuzzIdentity(input);
      break;
    case 1:
      for (int i = 0; i < 4 && !input->empty(); ++i) FuzzOffer(input);
      break;
    default:
      while (!input->empty()) FuzzMetadata(input);
  }
}

}  // namespace testing
}  // namespace shmrpc
