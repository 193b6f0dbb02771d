#include "transport/link/entrance.h"

#include <atomic>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "transport/platform/fork.h"

namespace shmrpc {
namespace link {
namespace {

using platform::NamedMapping;

// Servers that one process talks to in turn. Each costs two descriptors.
constexpr size_t kMaxKept = 8;

struct KnownServer {
  // Is what was read from it still true?
  bool Stands() const { return identity.Stands(); }

  ServerIdentity server;
  // As guests.
  NamedMapping identity;
  NamedMapping slots;
};
using KnownPtr = std::shared_ptr<const KnownServer>;

// Never destroyed: connects may run as the process exits. A forked child leaks
// its parent's, whose mutex may have been locked.
class KnownServers {
 public:
  static KnownServers& Get() {
    static std::atomic<KnownServers*> current{nullptr};
    // acquire: SYNC(known-servers-made).
    KnownServers* known = current.load(std::memory_order_acquire);
    while (known == nullptr ||
           known->generation_ != platform::ForkGeneration()) {
      auto* fresh = new KnownServers;
      // release: SYNC(known-servers-made).
      if (current.compare_exchange_strong(known, fresh,  // not shared
                                          std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
        return *fresh;
      }
      delete fresh;
    }
    return *known;
  }

  // Null: none is known to whoever accepts the same users' servers there.
  KnownPtr Find(const Address& address, const std::string& server_user)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    for (const Kept& k : kept_) {
      if (k.address == address && k.server_user == server_user) return k.server;
    }
    return nullptr;
  }

  // Instead of who was known there, and of those that have ended.
  void Keep(const Address& address, const std::string& server_user,
            KnownPtr server) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<Kept> dropped;  // closed without the mutex
    absl::MutexLock lock(&mutex_);
    std::vector<Kept> before = std::move(kept_);
    kept_.clear();
    for (Kept& k : before) {
      const bool stays =
          !(k.address == address && k.server_user == server_user) &&
          k.server->Stands();
      (stays ? kept_ : dropped).push_back(std::move(k));
    }
    if (kept_.size() == kMaxKept) {
      dropped.push_back(std::move(kept_.front()));
      kept_.erase(kept_.begin());
    }
    kept_.push_back({address, server_user, std::move(server)});
  }

 private:
  struct Kept {
    Address address;
    std::string server_user;
    KnownPtr server;
  };

  KnownServers() : generation_(platform::ForkGeneration()) {}

  const uint32_t generation_;
  absl::Mutex mutex_;
  std::vector<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // the oldest first
};

absl::StatusOr<KnownPtr> Open(const Address& address,
                              const std::string& server_user) {
  auto known = std::make_shared<KnownServer>();
  auto server = ReadIdentity(address, server_user, &known->identity);
  if (!server.ok()) return server.status();
  known->server = *std::move(server);
  platform::OpenOptions options;
  options.hold = false;
  options.other_owner = known->server.user;
  auto slots = NamedMapping::Open(
      SlotsName(known->server.slots_scope, known->server.slots_nonce), options);
  if (absl::IsNotFound(slots.status())) {
    return absl::NotFoundError(
        absl::StrCat(address.ToString(), ": its server is shutting down"));
  }
  if (!slots.ok()) return slots.status();
  if (slots->size_bytes() < sizeof(memory::LobbySlots)) {
    return absl::AbortedError(absl::StrCat(
        address.ToString(),
        ": its accept slots are too small: they were truncated; try again"));
  }
  known->slots = *std::move(slots);
  return known;
}

absl::StatusOr<KnownPtr> FindServer(const Address& address,
                                    const std::string& server_user) {
  KnownServers& known = KnownServers::Get();
  KnownPtr server = known.Find(address, server_user);
  if (server != nullptr && server->Stands()) return server;
  auto opened = Open(address, server_user);
  if (opened.ok() && NamedMapping::GuestsMayStay()) {
    known.Keep(address, server_user, *opened);
  }
  return opened;
}

}  // namespace

absl::StatusOr<Entrance::Ptr> Entrance::Find(const Address& address,
                                             const std::string& server_user) {
  auto known = FindServer(address, server_user);
  if (!known.ok()) return known.status();
  Ptr entrance(new Entrance);
  entrance->server_ = (*known)->server;
  auto view = (*known)->slots.Map(0, sizeof(memory::LobbySlots),
                                  platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  entrance->slots_view_ = *std::move(view);
  auto accept_event =
      platform::Event::Open((*known)->slots.name().WithSuffix(".a"),
                            &entrance->slots()->accept_wake.word);
  if (!accept_event.ok()) return accept_event.status();
  entrance->accept_event_ = *std::move(accept_event);
  if (NamedMapping::GuestsMayStay()) {
    entrance->slots_mapping_ =
        std::shared_ptr<const NamedMapping>(*known, &(*known)->slots);
  }
  return entrance;
}

bool Entrance::Restore() const {
  return slots_mapping_ != nullptr && slots_mapping_->Restore(slots_view_).ok();
}

}  // namespace link
}  // namespace shmrpc
