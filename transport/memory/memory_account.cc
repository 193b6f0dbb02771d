#include "transport/memory/memory_account.h"

#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace memory {

bool MemoryAccount::TryCharge(uint64_t bytes) {
  const uint64_t limit = limit_bytes();
  uint64_t used = used_bytes();
  // `bytes` may be whatever a peer wrote: no sum may overflow.
  do {
    if (used > limit || bytes > limit - used) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes,
                                              std::memory_order_relaxed));
  if (whole_ == nullptr || whole_->TryCharge(bytes)) return true;
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void MemoryAccount::Release(uint64_t bytes) {
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (whole_ != nullptr) whole_->Release(bytes);
}

std::string MemoryAccount::Describe() const {
  const auto left = [](const MemoryAccount& a) {
    const uint64_t limit = a.limit_bytes();
    const uint64_t used = a.used_bytes();
    return used < limit ? limit - used : 0;
  };
  if (whole_ != nullptr && left(*whole_) < left(*this)) {
    return absl::StrCat(whole_->Describe(), " by all clients");
  }
  return absl::StrCat(used_bytes(), " of ", limit_bytes(), " bytes are in use");
}

bool Charge::Take(const std::shared_ptr<MemoryAccount>& account,
                  uint64_t bytes) {
  Release();
  if (account == nullptr) return true;
  if (!account->TryCharge(bytes)) return false;
  account_ = account;
  bytes_ = bytes;
  return true;
}

void Charge::Release() {
  if (account_ == nullptr) return;
  account_->Release(bytes_);
  account_.reset();
  bytes_ = 0;
}

}  // namespace memory
}  // namespace shmrpc
