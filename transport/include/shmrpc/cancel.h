// How a cancellation finds the call it is meant for. For contexts and the
// runtime; programs call TryCancel.

#ifndef SHMRPC_CANCEL_H_
#define SHMRPC_CANCEL_H_

#include <atomic>
#include <mutex>
#include <set>

namespace shmrpc {

namespace internal {

// What a cancellation ends: a call in flight, or the wait for a connection.
class Cancellable {
 public:
  // Any thread; at most once per CancelSlot, and once more where Orphan does
  // so. Must not destroy the object, nor call the slot.
  virtual void Cancel() = 0;
  // The same, and the slot will be gone: do not End it.
  virtual void Orphan() { Cancel(); }

 protected:
  ~Cancellable() = default;
};

// Joins the thread that makes a call with those that may cancel it.
//
// Thread rule: Request from any thread; Begin and End from the calling thread,
// in pairs, one pair at a time. End waits for a Cancel that is running, so
// what was begun may die after it; nobody calls it with a lock held that
// Cancel takes.
class CancelSlot {
 public:
  // True: a cancellation was requested before; `target` is not kept, and End
  // need not follow. Its Cancel may have run, and is over.
  bool Begin(Cancellable* target);
  void End();
  // Cancels what has begun, or what will begin: the first one does, for good.
  void Request();
  // The slot's end: whatever still goes on is orphaned. By the calling thread.
  void Abandon();
  bool requested() const {
    // Relaxed: advice; Begin decides.
    return requested_.load(std::memory_order_relaxed);
  }

 private:
  // SYNC(cancel): seq_cst on both words. Begin stores target_ and then looks at
  // requested_; Request sets requested_ and then looks at target_: at least one
  // of them sees the other.
  std::atomic<bool> requested_{false};
  std::atomic<Cancellable*> target_{nullptr};
};

// The calls that end with a call they were made for (ClientContext::
// FromServerContext). Shared by the server's call and the contexts.
//
// Thread rule: any thread. A slot must be removed before it dies.
class CancelGroup {
 public:
  // A group that was cancelled cancels what is added.
  void Add(CancelSlot* slot);
  // Returns only when the group is not about to cancel `slot`.
  void Remove(CancelSlot* slot);
  // Runs Cancel of what the slots have begun, on this thread.
  void CancelAll();

 private:
  std::mutex mutex_;
  bool cancelled_ = false;
  std::set<CancelSlot*> slots_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_CANCEL_H_
