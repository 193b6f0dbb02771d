// How a cancellation finds the call it is meant for. For contexts and the
// runtime; programs call TryCancel.

#ifndef SHMRPC_CANCEL_H_
#define SHMRPC_CANCEL_H_

#include <atomic>
#include <mutex>
#include <set>

namespace shmrpc {

class ClientContext;

namespace internal {

// What a cancellation ends: a call in flight, or the wait for a connection.
class Cancellable {
 public:
  // Any thread, at most a few times. Must not destroy the object.
  virtual void Cancel() = 0;
  // The same, and the slot will be gone: do not End it.
  virtual void Orphan() { Cancel(); }

 protected:
  ~Cancellable() = default;
};

// Joins the thread that makes a call with those that may cancel it.
//
// Thread rule: Request from any thread; Begin and End from the calling thread,
// in pairs. End returns only when no Cancel is running any more, so what was
// begun may die after it.
class CancelSlot {
 public:
  // True: a cancellation was requested before; `target` is not kept.
  bool Begin(Cancellable* target);
  void End();
  // Cancels what has begun, or what will begin.
  void Request();
  // The slot's end: whatever still goes on is orphaned. By the calling thread.
  void Abandon();
  bool requested() const {
    // Relaxed: advice; Begin decides.
    return requested_.load(std::memory_order_relaxed);
  }

 private:
  // SYNC(cancel): seq_cst on both words. Begin stores target_ and then looks at
  // requested_; Request sets requested_ and then looks at target_: one of them
  // sees the other.
  std::atomic<bool> requested_{false};
  std::atomic<Cancellable*> target_{nullptr};
};

// The calls that end with a call they were made for (ClientContext::
// FromServerContext). Shared by the server's call and the contexts.
class CancelGroup {
 public:
  // A group that was cancelled cancels what is added.
  void Add(ClientContext* context);
  // Returns only when no cancellation of `context` is running.
  void Remove(ClientContext* context);
  void CancelAll();

 private:
  std::mutex mutex_;
  bool cancelled_ = false;
  std::set<ClientContext*> contexts_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_CANCEL_H_
