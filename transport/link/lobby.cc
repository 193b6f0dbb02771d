#include "transport/link/lobby.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shmrpc/version.h"
#include "transport/memory/arena.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"
#include "transport/platform/user.h"

namespace shmrpc {
namespace link {
namespace {

using memory::LobbyIdentity;
using memory::LobbySlots;
using platform::NamedMapping;

constexpr int64_t kStaleLookNs = 5 * 1000 * 1000;
// How long a dead server's name may stay taken. A second, for a process that is
// just ending; ten on Windows, where any number of clients may be asking for
// their server all the time, and each holds the name for the moment of its
// look.
int StaleLooks() { return NamedMapping::GuestsMayStay() ? 200 : 2000; }
// How many looks may find its process alive: a tenth of a second. One that was
// just killed may pass for alive a little longer (Windows).
constexpr int kLivingLooks = 20;

// "greeter_server (pid 1234)"
std::string DescribeProcess(uint32_t pid) {
  const std::string name = platform::ProcessName(pid);
  return absl::StrCat(name.empty() ? "a process" : name, " (pid ", pid, ")");
}

absl::Status NameTaken(const Address& address, const absl::Status& reason) {
  const auto holder = ReadIdentity(address);
  return absl::AlreadyExistsError(absl::StrCat(
      "listen on ", address.ToString(), ": address already in use by ",
      holder.ok() ? DescribeProcess(holder->process.pid)
                  : absl::StrCat(reason.message(), " (a look at it: ",
                                 holder.status().message(), ")"),
      "; stop it or choose another name"));
}

// Does the name become free by waiting, as far as this look can tell?
bool MayBecomeFree(const absl::Status& look) {
  return !absl::IsPermissionDenied(look) && !absl::IsFailedPrecondition(look) &&
         !absl::IsDataLoss(look);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Lobby>> Lobby::Create(
    const std::vector<Address>& addresses,
    const platform::AccessPolicy& access) {
  std::unique_ptr<Lobby> lobby(new Lobby);
  lobby->addresses_ = addresses;
  lobby->access_ = access;
  for (const Address& a : addresses) {
    // One page of slots serves every name; it must be visible to all of them.
    if (a.scope == platform::Scope::kGlobal) {
      lobby->slots_scope_ = platform::Scope::kGlobal;
    }
  }
  // What crashed processes left behind goes before something new comes.
  platform::ReclaimAbandoned(lobby->slots_scope_, kObjectPrefix,
                             memory::IsKeptForAProcess);
  absl::Status status = lobby->CreateSlots();
  if (!status.ok()) return status;
  for (const Address& a : addresses) {
    status = lobby->CreateIdentity(a);
    int living = 0;
    for (int i = 0; i < StaleLooks() && absl::IsAlreadyExists(status); ++i) {
      const absl::Status look = ReadIdentity(a).status();
      if (look.ok() ? ++living > kLivingLooks : !MayBecomeFree(look)) break;
      platform::Waiter().Wait(nullptr,
                              platform::MonotonicNowNs() + kStaleLookNs);
      status = lobby->CreateIdentity(a);
    }
    if (absl::IsAlreadyExists(status)) return NameTaken(a, status);
    if (!status.ok()) return status;
  }
  return lobby;
}

absl::Status Lobby::CreateSlots() {
  nonce_ = Nonce::Random();
  const platform::ObjectName name = SlotsName(slots_scope_, nonce_);
  platform::CreateOptions options;
  options.access = access_;
  auto mapping = NamedMapping::Create(
      name, sizeof(LobbySlots), options, [](uint8_t* data) {
        // SYNC(lobby-ready): release pairs with the acquire of a client.
        reinterpret_cast<LobbySlots*>(data)->magic.store(
            memory::kLobbyMagic, std::memory_order_release);
        SHMRPC_STORE_POINT("slots.magic");
        return absl::OkStatus();
      });
  if (!mapping.ok()) return mapping.status();
  auto view = mapping->Map(0, sizeof(LobbySlots), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  slots_mapping_ = *std::move(mapping);
  slots_view_ = *std::move(view);
  auto accept = platform::Event::Create(name.WithSuffix(".a"),
                                        &slots()->accept_wake.word, access_);
  if (!accept.ok()) return accept.status();
  accept_event_ = *std::move(accept);
  auto poller = platform::Event::Create(name.WithSuffix(".p"),
                                        &slots()->poller_wake.word, access_);
  if (!poller.ok()) return poller.status();
  poller_event_ = *std::move(poller);
  return absl::OkStatus();
}

absl::Status Lobby::CreateIdentity(const Address& address) {
  platform::CreateOptions options;
  options.access = access_;
  // Who could write it could mislead the others.
  options.access.others_read_only = true;
  auto mapping = NamedMapping::Create(
      address.IdentityName(), sizeof(LobbyIdentity), options,
      [&](uint8_t* data) {
        FillIdentity(address, reinterpret_cast<LobbyIdentity*>(data));
        return absl::OkStatus();
      });
  if (!mapping.ok()) return mapping.status();
  identities_.push_back(*std::move(mapping));
  return absl::OkStatus();
}

// Into zeros.
void Lobby::FillIdentity(const Address& address, LobbyIdentity* identity) {
  const platform::ProcessId self = platform::CurrentProcess();
  identity->layout_version = kLayoutVersion;
  SHMRPC_STORE_POINT("identity.layout version");
  identity->identity_bytes = sizeof(LobbyIdentity);
  SHMRPC_STORE_POINT("identity.bytes");
  identity->pid = self.pid;
  SHMRPC_STORE_POINT("identity.pid");
  identity->start_time = self.start_time;
  SHMRPC_STORE_POINT("identity.start time");
  identity->slots_nonce[0] = nonce_.high;
  SHMRPC_STORE_POINT("identity.nonce high");
  identity->slots_nonce[1] = nonce_.low;
  SHMRPC_STORE_POINT("identity.nonce low");
  identity->slots_global = slots_scope_ == platform::Scope::kGlobal ? 1 : 0;
  SHMRPC_STORE_POINT("identity.slots global");
  identity->slot_count = memory::kSlotCount;
  SHMRPC_STORE_POINT("identity.slot count");
  strncpy(identity->version, SHMRPC_VERSION_STRING,
          sizeof(identity->version) - 1);
  SHMRPC_STORE_POINT("identity.version");
  memcpy(identity->name, address.name.data(),
         std::min(address.name.size(), sizeof(identity->name)));
  SHMRPC_STORE_POINT("identity.name");
  // SYNC(lobby-ready)
  identity->magic.store(memory::kLobbyMagic, std::memory_order_release);
  SHMRPC_STORE_POINT("identity.magic");
}

absl::StatusOr<ServerIdentity> ReadIdentity(const Address& address,
                                            const std::string& server_user,
                                            NamedMapping* read_from) {
  platform::OpenOptions options;
  options.access = platform::Access::kReadOnly;
  options.hold = false;
  options.other_owner = "*";  // looked at below
  auto mapping = NamedMapping::Open(address.IdentityName(), options);
  if (absl::IsNotFound(mapping.status())) {
    return absl::NotFoundError(
        absl::StrCat(address.ToString(),
                     ": no server is listening under this name; start it or "
                     "check the name"));
  }
  if (absl::IsPermissionDenied(mapping.status())) {
    return absl::PermissionDeniedError(
        absl::StrCat(mapping.status().message(),
                     ": its server serves its own user only, or those that "
                     "ServerBuilder::SetAccess names"));
  }
  if (!mapping.ok()) return mapping.status();
  const platform::ObjectOwner& owner = mapping->owner();
  if (!owner.is_self && !owner.is_privileged && server_user != "*" &&
      server_user != owner.user) {
    return absl::PermissionDeniedError(absl::StrCat(
        "open mapping \"", address.IdentityName().name,
        "\": it belongs to user ", owner.user, ", not to this process's user ",
        platform::CurrentUser(),
        ": somebody else took the name, or the server runs as another user, "
        "which the channel argument \"shmrpc.server_user\" has to name"));
  }

  // The stable head first: it says whether the rest means what we think.
  if (mapping->size_bytes() < 16) {
    return absl::AbortedError(absl::StrCat(
        address.ToString(), ": its object has only ", mapping->size_bytes(),
        " bytes: it was truncated, or is not a shmrpc server; try again"));
  }
  auto view = mapping->Map(
      0, std::min<uint64_t>(mapping->size_bytes(), sizeof(LobbyIdentity)),
      platform::Access::kReadOnly);
  if (!view.ok()) return view.status();
  alignas(LobbyIdentity) uint8_t bytes[sizeof(LobbyIdentity)] = {};
  const bool whole = view->size_bytes() >= sizeof(LobbyIdentity);
  uint64_t magic = 0;
  const bool alive = platform::Guarded(*view, [&] {
    // SYNC(lobby-ready): acquire pairs with the server's release.
    magic = reinterpret_cast<const LobbyIdentity*>(view->data())
                ->magic.load(std::memory_order_acquire);
    // A copy that is not shared.
    memcpy(bytes, view->data(), whole ? sizeof(bytes) : 16);
  });
  if (!alive) {
    return absl::AbortedError(
        absl::StrCat(address.ToString(),
                     ": its identity was truncated while being read; try "
                     "again"));
  }
  const auto* identity = reinterpret_cast<const LobbyIdentity*>(bytes);
  if (magic == 0) {
    return absl::AbortedError(absl::StrCat(
        address.ToString(),
        ": its server is just starting, or about to make good an identity that "
        "was truncated; try again"));
  }
  if (magic != memory::kLobbyMagic) {
    return absl::DataLossError(
        absl::StrCat(address.ToString(),
                     ": the object under its name was not made by shmrpc"));
  }
  if (identity->layout_version == kLayoutVersion && !whole) {
    return absl::AbortedError(
        absl::StrCat(address.ToString(), ": its identity has only ",
                     view->size_bytes(), " bytes, ", sizeof(LobbyIdentity),
                     " are expected: it was truncated; try again"));
  }
  if (identity->layout_version != kLayoutVersion) {
    const auto pid = mapping->CreatorPid();
    return absl::FailedPreconditionError(
        absl::StrCat(address.ToString(), ": its server", pid ? " " : "",
                     pid ? DescribeProcess(*pid) : "", " uses layout version ",
                     identity->layout_version, ", this client version ",
                     kLayoutVersion, " (shmrpc ", SHMRPC_VERSION_STRING,
                     "); build both from compatible versions"));
  }
  ServerIdentity copy;
  copy.process = {identity->pid, identity->start_time};
  copy.slots_nonce = {identity->slots_nonce[0], identity->slots_nonce[1]};
  copy.slots_scope = identity->slots_global != 0 ? platform::Scope::kGlobal
                                                 : platform::Scope::kLocal;
  copy.version = std::string(
      identity->version, strnlen(identity->version, sizeof(identity->version)));

  copy.user = owner.user;
  copy.same_user = owner.is_self;

  const auto witness = mapping->CreatorPid();
  *view = platform::View();
  // Let go of as early as can be: where this look holds the name, a server that
  // is about to take the place of a dead one waits for it.
  if (!NamedMapping::GuestsMayStay()) *mapping = NamedMapping();
  if (witness && *witness != copy.process.pid) {
    return absl::FailedPreconditionError(absl::StrCat(
        address.ToString(), ": its server (pid ", copy.process.pid,
        " where it runs) lives in another pid namespace, where its death could "
        "not be noticed from here; run both in the same one (for containers: "
        "share the pid namespace)"));
  }
  if (!platform::IsAlive(copy.process)) {
    return absl::NotFoundError(
        absl::StrCat(address.ToString(), ": its server (pid ", copy.process.pid,
                     ") has ended; start it again"));
  }
  if (read_from != nullptr && *mapping) *read_from = *std::move(mapping);
  return copy;
}

}  // namespace link
}  // namespace shmrpc
