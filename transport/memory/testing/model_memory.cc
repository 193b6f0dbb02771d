#include "transport/memory/testing/model_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace shmrpc {
namespace interleave {
namespace {

bool Acquires(Order order) {
  return order == Order::kAcquire || order == Order::kAcqRel;
}
bool Releases(Order order) {
  return order == Order::kRelease || order == Order::kAcqRel;
}

uint64_t Bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace

uint64_t MixHash(uint64_t hash, uint64_t value) {
  // The finalizer of splitmix64.
  uint64_t x = (hash ^ value) + 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

void Knowledge::JoinSeen(const Knowledge& other) {
  for (int i = 0; i < kMaxLocations; ++i) {
    seen[i] = std::max(seen[i], other.seen[i]);
  }
}

void Knowledge::Join(const Knowledge& other) {
  JoinSeen(other);
  for (int i = 0; i < kMaxThreads; ++i) {
    events[i] = std::max(events[i], other.events[i]);
  }
}

ModelMemory::ModelMemory(MemoryModel model, int threads, Host* host)
    : model_(model), count_(threads), host_(host) {
  if (threads >= kMaxThreads) {
    std::fprintf(stderr, "interleave: more threads than kMaxThreads\n");
    std::abort();
  }
}

void ModelMemory::Reset() {
  threads_.assign(count_ + 1, Thread());
  for (Location& location : locations_) location = Location();
  fences_ = Knowledge();
  stores_hash_ = 0;
}

void ModelMemory::Fork() {
  for (int i = 0; i < count_; ++i) {
    threads_[i].current = threads_[count_].current;
    threads_[i].at_fence = threads_[count_].current;
  }
}

void ModelMemory::Join() {
  for (int i = 0; i < count_; ++i) Learn(count_, threads_[i].current);
}

int ModelMemory::Locate(const void* address, uint64_t initial) {
  const auto found =
      numbers_.emplace(address, static_cast<int>(locations_.size()));
  const int location = found.first->second;
  if (found.second) {
    if (location == kMaxLocations) {
      std::fprintf(stderr, "interleave: more words than kMaxLocations\n");
      std::abort();
    }
    locations_.emplace_back();
  }
  if (locations_[location].stores.empty()) {
    locations_[location].stores.push_back({initial, 0, false, Knowledge()});
  }
  return location;
}

void ModelMemory::NoteAccess(int thread, int location, bool store, bool plain) {
  Knowledge& current = threads_[thread].current;
  Location& at = locations_[location];
  const auto unordered = [&](const std::array<uint32_t, kMaxThreads>& last) {
    for (int i = 0; i <= count_; ++i) {
      if (last[i] > current.events[i]) return true;
    }
    return false;
  };
  const bool race = unordered(at.plain_stores) ||
                    (store && unordered(at.plain_loads)) ||
                    (plain && unordered(at.atomic_stores)) ||
                    (plain && store && unordered(at.atomic_loads));
  const uint32_t now = ++current.events[thread];
  if (plain) {
    (store ? at.plain_stores : at.plain_loads)[thread] = now;
  } else {
    (store ? at.atomic_stores : at.atomic_loads)[thread] = now;
  }
  if (race) host_->Fail("a data race");
}

const Knowledge& ModelMemory::Told(int thread, Order order) const {
  const Thread& self = threads_[thread];
  return Releases(order) ? self.current : self.at_fence;
}

void ModelMemory::Insert(int location, int index, uint64_t value,
                         const Knowledge& tells) {
  std::vector<Stored>& stores = locations_[location].stores;
  const double before = stores[index].time;
  const bool last = index + 1 == static_cast<int>(stores.size());
  const double time = last ? before + 1 : (before + stores[index + 1].time) / 2;
  Stored stored{value, time, false, tells};
  stored.tells.seen[location] = std::max(stored.tells.seen[location], time);
  stores_hash_ +=
      HashOf(MixHash(MixHash(location, value), Bits(time)), stored.tells);
  stores.insert(stores.begin() + index + 1, stored);
}

uint64_t ModelMemory::See(int thread, int location, Order order,
                          const Stored& stored) {
  Thread& self = threads_[thread];
  (Acquires(order) ? self.current : self.by_relaxed).Join(stored.tells);
  double& seen = self.current.seen[location];
  seen = std::max(seen, stored.time);
  return stored.value;
}

uint64_t ModelMemory::Load(int thread, int location, Order order) {
  NoteAccess(thread, location, false, order == Order::kPlain);
  Thread& self = threads_[thread];
  for (auto own = self.buffer.rbegin(); own != self.buffer.rend(); ++own) {
    if (own->location == location) return own->value;
  }
  const std::vector<Stored>& stores = locations_[location].stores;
  int readable = 1;
  // A plain load that is no race has one store to see.
  if (model_ == MemoryModel::kWeak && order != Order::kPlain) {
    const double seen = self.current.seen[location];
    readable = static_cast<int>(
        std::count_if(stores.begin(), stores.end(),
                      [seen](const Stored& s) { return s.time >= seen; }));
  }
  const int back = readable == 1 ? 0 : host_->Choose(readable);
  return See(thread, location, order, stores[stores.size() - 1 - back]);
}

void ModelMemory::Store(int thread, int location, Order order, uint64_t value) {
  NoteAccess(thread, location, true, order == Order::kPlain);
  Thread& self = threads_[thread];
  if (model_ == MemoryModel::kTso && thread != count_) {
    self.buffer.push_back({location, value, Told(thread, order)});
    return;
  }
  const std::vector<Stored>& stores = locations_[location].stores;
  int places[64];
  int count = 0;
  for (int i = static_cast<int>(stores.size()) - 1; i >= 0; --i) {
    if (stores[i].time < self.current.seen[location] || count == 64) break;
    if (!stores[i].taken) places[count++] = i;
    if (model_ != MemoryModel::kWeak || order == Order::kPlain) break;
  }
  const int place = places[count == 1 ? 0 : host_->Choose(count)];
  Insert(location, place, value, Told(thread, order));
  double& seen = self.current.seen[location];
  seen = std::max(seen, stores[place + 1].time);
}

uint64_t ModelMemory::Exchange(int thread, int location, Order order,
                               uint64_t value) {
  NoteAccess(thread, location, true, false);
  Thread& self = threads_[thread];
  std::vector<Stored>& stores = locations_[location].stores;
  int places[64];
  int count = 0;
  for (int i = static_cast<int>(stores.size()) - 1; i >= 0; --i) {
    if (stores[i].time < self.current.seen[location] || count == 64) break;
    if (!stores[i].taken) places[count++] = i;
    if (model_ != MemoryModel::kWeak) break;
  }
  const int place = places[count == 1 ? 0 : host_->Choose(count)];
  const uint64_t old = See(thread, location, order, stores[place]);
  // Whoever reads an exchange also reads what it took.
  Knowledge tells = Told(thread, order);
  tells.Join(stores[place].tells);
  stores[place].taken = true;
  Insert(location, place, value, tells);
  self.current.seen[location] = stores[place + 1].time;
  return old;
}

void ModelMemory::FullFence(int thread) {
  Thread& self = threads_[thread];
  self.current.Join(self.by_relaxed);
  // The order of fences hands on what can be seen, but nothing happens before.
  self.current.JoinSeen(fences_);
  fences_.JoinSeen(self.current);
  self.at_fence = self.current;
}

void ModelMemory::DrainOne(int thread) {
  const Buffered first = threads_[thread].buffer.front();
  threads_[thread].buffer.pop_front();
  Insert(first.location,
         static_cast<int>(locations_[first.location].stores.size()) - 1,
         first.value, first.tells);
}

uint64_t ModelMemory::HashOf(uint64_t hash, const Knowledge& knowledge) const {
  if (model_ == MemoryModel::kWeak) {
    for (size_t i = 0; i < locations_.size(); ++i) {
      hash = MixHash(hash, Bits(knowledge.seen[i]));
    }
  }
  for (int i = 0; i <= count_; ++i) hash = MixHash(hash, knowledge.events[i]);
  return hash;
}

uint64_t ModelMemory::Hash() const {
  uint64_t hash = HashOf(stores_hash_, fences_);
  for (const Thread& thread : threads_) {
    hash = HashOf(hash, thread.current);
    hash = HashOf(hash, thread.at_fence);
    hash = HashOf(hash, thread.by_relaxed);
    for (const Buffered& b : thread.buffer) {
      hash = HashOf(MixHash(MixHash(hash, b.location), b.value), b.tells);
    }
    hash = MixHash(hash, thread.buffer.size());
  }
  return hash;
}

}  // namespace interleave
}  // namespace shmrpc
