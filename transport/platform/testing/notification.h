// Waiting until another thread says so. (absl::Notification would do, but this
// Abseil's mutex sets off false alarms in ThreadSanitizer.)

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_NOTIFICATION_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_NOTIFICATION_H_

#include <condition_variable>
#include <mutex>

namespace shmrpc {
namespace testing {

class Notification {
 public:
  // May be called once or more; waiters return.
  void Notify() {
    std::lock_guard<std::mutex> lock(mutex_);
    notified_ = true;
    // Below the lock: a waiter may destroy this as soon as it can.
    changed_.notify_all();
  }

  bool HasBeenNotified() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return notified_;
  }

  void Wait() const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return notified_; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool notified_ = false;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_NOTIFICATION_H_
