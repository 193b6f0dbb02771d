// How much memory may be held for somebody, and how much is.
//
//   auto account = std::make_shared<MemoryAccount>(limit_bytes);
//   Charge charge;
//   if (!charge.Take(account, segment_bytes)) ... RESOURCE_EXHAUSTED ...
//   ... the bytes are held as long as `charge` lives ...
//
// A server has one account per client process, shared by its connections, and
// may have one above them for all clients; a client has one per connection.
// What is charged: arena segments of both directions, messages that wait to be
// read or for room in the ring, large requests and metadata while their calls
// last. Small unary calls charge nothing as long as the ring has room.
//
// Thread rule: MemoryAccount any; a Charge one thread at a time. Ownership: a
// charge shares its account, so it may outlive the connection. Failures: none;
// what does not fit is not charged, in no account.

#ifndef SHMRPC_TRANSPORT_MEMORY_MEMORY_ACCOUNT_H_
#define SHMRPC_TRANSPORT_MEMORY_MEMORY_ACCOUNT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace shmrpc {
namespace memory {

class MemoryAccount {
 public:
  // `whole`: an account of many that is charged as well; may be null.
  explicit MemoryAccount(uint64_t limit_bytes,
                         std::shared_ptr<MemoryAccount> whole = nullptr)
      : limit_bytes_(limit_bytes), whole_(std::move(whole)) {}
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  // True: charged; release as much later. Never beyond a limit, not even for a
  // moment.
  bool TryCharge(uint64_t bytes);
  void Release(uint64_t bytes);

  // What is charged already stays. Any thread.
  void SetLimit(uint64_t limit_bytes) {
    // Relaxed: a number and nothing else.
    limit_bytes_.store(limit_bytes, std::memory_order_relaxed);
  }
  uint64_t limit_bytes() const {
    return limit_bytes_.load(std::memory_order_relaxed);
  }
  uint64_t used_bytes() const {
    // Relaxed: no data is published by it.
    return used_bytes_.load(std::memory_order_relaxed);
  }
  // "N of M bytes are in use", of the account that is closest to its limit.
  std::string Describe() const;

 private:
  std::atomic<uint64_t> limit_bytes_;
  // Relaxed everywhere: a count; the memory itself is handed on by other means.
  std::atomic<uint64_t> used_bytes_{0};
  const std::shared_ptr<MemoryAccount> whole_;
};

// Bytes that are held; given back by the destructor.
class Charge {
 public:
  Charge() = default;
  Charge(Charge&& other) noexcept
      : account_(std::move(other.account_)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(account_, other.account_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() { Release(); }

  // Charges `bytes` instead of what it had. False: no room; it has nothing
  // then. A null account has room for everything.
  bool Take(const std::shared_ptr<MemoryAccount>& account, uint64_t bytes);
  void Release();
  uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<MemoryAccount> account_;
  uint64_t bytes_ = 0;
};

}  // namespace memory
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_MEMORY_ACCOUNT_H_
