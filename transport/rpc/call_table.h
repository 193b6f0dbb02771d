// A connection's calls by number, as the server keeps them.
//
//   if (!table.Insert(call_id, call)) ... the number is in use ...
//   ServerCall* call = table.Find(call_id);
//   table.Erase(call_id);
//
// Numbers are the client's choice. Ours counts slots in the low bits, so that a
// few calls at a time each find a place of their own; any others share a hash
// table. So a lying client costs itself time, and nobody memory.
//
// Thread rule: one thread at a time. Ownership: none.

#ifndef SHMRPC_TRANSPORT_RPC_CALL_TABLE_H_
#define SHMRPC_TRANSPORT_RPC_CALL_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"

namespace shmrpc {
namespace internal {

template <class Call>
class CallTable {
 public:
  size_t size() const { return placed_ + others_.size(); }

  // False: the number is in use. `call` is not null.
  bool Insert(uint32_t call_id, Call* call) {
    if (!others_.empty() && others_.contains(call_id)) return false;
    Place& place = places_[call_id % kPlaces];
    if (place.call == nullptr) {
      place = {call_id, call};
      ++placed_;
      return true;
    }
    return place.call_id != call_id &&
           others_.try_emplace(call_id, call).second;
  }

  // null: not there.
  Call* Find(uint32_t call_id) const {
    const Place& place = places_[call_id % kPlaces];
    if (place.call != nullptr && place.call_id == call_id) return place.call;
    if (others_.empty()) return nullptr;
    const auto other = others_.find(call_id);
    return other == others_.end() ? nullptr : other->second;
  }

  void Erase(uint32_t call_id) {
    Place& place = places_[call_id % kPlaces];
    if (place.call == nullptr || place.call_id != call_id) {
      others_.erase(call_id);
      return;
    }
    place.call = nullptr;
    --placed_;
  }

  // visit(call_id, call) of each, in no order; the table does not change
  // meanwhile.
  template <class Visit>
  void ForEach(Visit visit) const {
    for (const Place& place : places_) {
      if (place.call != nullptr) visit(place.call_id, place.call);
    }
    for (const auto& other : others_) visit(other.first, other.second);
  }

  void Clear() {
    for (Place& place : places_) place.call = nullptr;
    placed_ = 0;
    others_.clear();
  }

 private:
  static constexpr uint32_t kPlaces = 64;
  struct Place {
    uint32_t call_id = 0;
    Call* call = nullptr;  // null: free
  };

  Place places_[kPlaces];
  size_t placed_ = 0;
  absl::flat_hash_map<uint32_t, Call*> others_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CALL_TABLE_H_
