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

// Servers that one process talks to in turn. Each costs a descriptor and two
// pages, also when the server has ended, until others take its place.
constexpr size_t kMaxKept = 8;

}  // namespace

// Never destroyed: connects may run as the process exits. A forked child leaks
// its parent's, whose mutex may have been locked.
class EntranceCache {
 public:
  static EntranceCache& Get() {
    static std::atomic<EntranceCache*> current{nullptr};
    // acquire: SYNC(entrance-cache-made).
    EntranceCache* cache = current.load(std::memory_order_acquire);
    while (cache == nullptr ||
           cache->generation_ != platform::ForkGeneration()) {
      auto* fresh = new EntranceCache;
      // release: SYNC(entrance-cache-made).
      if (current.compare_exchange_strong(cache, fresh,
                                          std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
        return *fresh;
      }
      delete fresh;
    }
    return *cache;
  }

  // Null: none is kept, or another server has the name now.
  Entrance::Ptr Take(const Address& address) ABSL_LOCKS_EXCLUDED(mutex_) {
    Entrance::Ptr found;
    {
      absl::MutexLock lock(&mutex_);
      const auto kept = Find(address);
      if (kept == kept_.end()) return nullptr;
      found = kept->entrance;
    }
    // Without the mutex, here and below: it looks at files.
    if (found->Stands()) return found;
    absl::MutexLock lock(&mutex_);
    const auto kept = Find(address);
    if (kept != kept_.end() && kept->entrance == found) kept_.erase(kept);
    return nullptr;
  }

  void Keep(const Address& address, Entrance::Ptr entrance)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    Entrance::Ptr dropped;
    absl::MutexLock lock(&mutex_);
    auto old = Find(address);
    if (old == kept_.end() && kept_.size() == kMaxKept) old = kept_.begin();
    if (old != kept_.end()) {
      dropped = std::move(old->entrance);
      kept_.erase(old);
    }
    kept_.push_back({address, std::move(entrance)});
  }

 private:
  struct Kept {
    Address address;
    Entrance::Ptr entrance;
  };

  EntranceCache() : generation_(platform::ForkGeneration()) {}

  std::vector<Kept>::iterator Find(const Address& address)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto i = kept_.begin();
    while (i != kept_.end() && !(i->address == address)) ++i;
    return i;
  }

  const uint32_t generation_;
  absl::Mutex mutex_;
  std::vector<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // the oldest first
};

absl::StatusOr<Entrance::Ptr> Entrance::Find(const Address& address) {
  EntranceCache& cache = EntranceCache::Get();
  if (Ptr kept = cache.Take(address)) return kept;
  auto entrance = Open(address);
  if (entrance.ok() && platform::NamedMapping::GuestsMayStay()) {
    cache.Keep(address, *entrance);
  }
  return entrance;
}

absl::StatusOr<Entrance::Ptr> Entrance::Open(const Address& address) {
  Ptr entrance(new Entrance);
  platform::NamedMapping identity;
  auto server = ReadIdentity(address, &identity);
  if (!server.ok()) return server.status();
  entrance->server_ = *std::move(server);
  if (platform::NamedMapping::GuestsMayStay()) {
    entrance->identity_ = std::move(identity);
  }
  if (absl::Status status = entrance->OpenSlots(address); !status.ok()) {
    return status;
  }
  return entrance;
}

absl::Status Entrance::OpenSlots(const Address& address) {
  const platform::ObjectName name =
      SlotsName(server_.slots_scope, server_.slots_nonce);
  platform::OpenOptions options;
  options.hold = false;
  auto mapping = platform::NamedMapping::Open(name, options);
  if (absl::IsNotFound(mapping.status())) {
    return absl::NotFoundError(
        absl::StrCat(address.ToString(), ": its server is shutting down"));
  }
  if (!mapping.ok()) return mapping.status();
  if (mapping->size_bytes() < sizeof(memory::LobbySlots)) {
    return absl::DataLossError(
        absl::StrCat(address.ToString(), ": its accept slots are too small"));
  }
  auto view =
      mapping->Map(0, sizeof(memory::LobbySlots), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  slots_view_ = *std::move(view);
  auto accept_event =
      platform::Event::Open(name.WithSuffix(".a"), &slots()->accept_wake.word);
  if (!accept_event.ok()) return accept_event.status();
  accept_event_ = *std::move(accept_event);
  return absl::OkStatus();
}

}  // namespace link
}  // namespace shmrpc
