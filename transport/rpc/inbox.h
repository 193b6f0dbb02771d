// Messages of one call that have arrived and that its reader has not taken yet.
//
//   // the thread that polls                  // the reader
//   ArrivedMessage message;                   ArrivedMessage m = inbox.Pop(&c);
//   KeepMessage(frame, &message);             ... send credit c if not 0 ...
//   switch (inbox.Push(&message)) ...         ParseArrived(m, &link, &request);
//
// What it keeps is charged to the account of its peer, if it has one.
//
// Thread rule: one thread at a time (both users hold a lock of theirs);
// KeepMessage and ParseArrived, which may take long, without it.

#ifndef SHMRPC_TRANSPORT_RPC_INBOX_H_
#define SHMRPC_TRANSPORT_RPC_INBOX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "transport/link/connection.h"
#include "transport/link/flow_control.h"
#include "transport/link/frame.h"
#include "transport/memory/memory_account.h"
#include "transport/rpc/message_io.h"

namespace shmrpc {
namespace internal {

// A private copy of a small message, or the block that a large one lies in.
struct ArrivedMessage {
  uint64_t size_bytes = 0;
  std::unique_ptr<uint8_t[]> bytes;
  std::shared_ptr<platform::View> block_view;  // null: `bytes` has it
  const uint8_t* block_data = nullptr;
  uint32_t block = 0;
};

// Takes the message of `frame` out of the ring. Its block, if any, is the
// caller's to give back. False: the shared memory is gone.
bool KeepMessage(const link::Frame& frame, ArrivedMessage* message);

// Parses, and gives the block back through `link`. kFaulted breaks the link.
ParseResult ParseArrived(const ArrivedMessage& arrived, link::Connection* link,
                         MessageLite* message);

// Gives the block back without a look at it.
void DropArrived(const ArrivedMessage& arrived, link::Connection* link);

class Inbox {
 public:
  enum class Pushed {
    kKept,
    kBeyondWindow,  // which no honest sender does
    kNoMemory,      // the account has no room
  };

  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() { Release(charged_bytes_); }

  // While it is empty.
  void SetAccount(std::shared_ptr<memory::MemoryAccount> account) {
    account_ = std::move(account);
  }

  // `*message` is moved from only if it is kept.
  Pushed Push(ArrivedMessage* message) {
    if (!window_.Arrived(link::MessageCost(message->size_bytes))) {
      return Pushed::kBeyondWindow;
    }
    const uint64_t kept_bytes = KeptBytes(*message);
    if (account_ != nullptr) {
      if (!account_->TryCharge(kept_bytes)) return Pushed::kNoMemory;
      charged_bytes_ += kept_bytes;
    }
    messages_.push_back(std::move(*message));
    return Pushed::kKept;
  }
  bool empty() const { return next_ == messages_.size(); }
  // Of the next message, which there is.
  uint64_t next_size_bytes() const { return messages_[next_].size_bytes; }
  // `*credit`: what to give the sender now, 0 nothing.
  ArrivedMessage Pop(uint32_t* credit) {
    ArrivedMessage message = std::move(messages_[next_++]);
    if (next_ == messages_.size() || next_ == kMaxTaken) {
      messages_.erase(messages_.begin(),
                      messages_.begin() + static_cast<std::ptrdiff_t>(next_));
      next_ = 0;
    }
    Release(KeptBytes(message));
    *credit = window_.Taken(link::MessageCost(message.size_bytes));
    return message;
  }
  // The same for a message that never was kept, because its reader took it
  // where it lay. False: beyond the window.
  bool Pass(uint64_t size_bytes, uint32_t* credit) {
    const uint64_t cost = link::MessageCost(size_bytes);
    if (!window_.Arrived(cost)) return false;
    *credit = window_.Taken(cost);
    return true;
  }
  // Everything unread, for the caller to drop.
  std::vector<ArrivedMessage> TakeAll() {
    messages_.erase(messages_.begin(),
                    messages_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
    Release(charged_bytes_);
    return std::exchange(messages_, {});
  }

 private:
  // A block's memory is its segment's, which is charged as a whole.
  static uint64_t KeptBytes(const ArrivedMessage& message) {
    return link::MessageCost(message.block_view == nullptr ? message.size_bytes
                                                           : 0);
  }
  void Release(uint64_t bytes) {
    if (account_ == nullptr) return;
    account_->Release(bytes);
    charged_bytes_ -= bytes;
  }

  // Taken messages that stay in front before the others move up.
  static constexpr size_t kMaxTaken = 1024;

  std::shared_ptr<memory::MemoryAccount> account_;  // may be null
  uint64_t charged_bytes_ = 0;
  link::ReceiveWindow window_;
  // A vector: making one allocates nothing, and most calls need none.
  std::vector<ArrivedMessage> messages_;
  size_t next_ = 0;  // those before it are taken
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_INBOX_H_
