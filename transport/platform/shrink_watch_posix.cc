// One inotify instance for all objects watched by the process. It is never
// closed: the thread that reads it never ends, either. A forked child makes its
// own, and leaves the watches that it inherited alone.

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/fork.h"
#include "transport/platform/os_error.h"
#include "transport/platform/shrink_watch.h"
#include "transport/platform/watch_thread_posix.h"

namespace shmrpc {
namespace platform {
namespace {

// Enough for a full queue, of 16384 events unless the system says otherwise.
constexpr int kMaxReads = 64;

class Watches {
 public:
  using Callback = std::function<void()>;
  struct Key {
    int object = -1;  // inotify's number of it
    uint64_t id = 0;  // 0: none
  };

  // This process's.
  static Watches* Get() {
    static std::atomic<Watches*> current{nullptr};
    // acquire: SYNC(watches-made).
    Watches* watches = current.load(std::memory_order_acquire);
    while (watches == nullptr || watches->generation_ != ForkGeneration()) {
      auto* fresh = new Watches;
      // release: SYNC(watches-made). A parent's is leaked: its mutex may have
      // been locked at the time of the fork.
      if (current.compare_exchange_strong(watches, fresh,
                                          std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
        return fresh;
      }
      delete fresh;
    }
    return watches;
  }

  // None with errno on failure; EMFILE: no instance is to be had.
  Key Add(const std::string& path, Callback on_change) {
    // Locked until it can be found: the event may come at once.
    std::lock_guard<std::mutex> lock(mutex_);
    if (fd_ < 0 && !Start()) return {};
    const int object = inotify_add_watch(fd_, path.c_str(), IN_MODIFY);
    if (object < 0) return {};
    const Key key{object, ++last_id_};
    callbacks_[object].emplace(key.id, std::move(on_change));
    return key;
  }

  void Remove(const Key& key) {
    Callback dropped;  // destroyed outside the lock
    std::unique_lock<std::mutex> lock(mutex_);
    // A running one is out of the map, and put back only under the lock.
    callback_done_.wait(lock, [&] { return running_id_ != key.id; });
    const auto object = callbacks_.find(key.object);
    if (object == callbacks_.end()) return;
    const auto found = object->second.find(key.id);
    if (found == object->second.end()) return;
    dropped = std::move(found->second);
    object->second.erase(found);
    if (!object->second.empty()) return;
    callbacks_.erase(object);
    inotify_rm_watch(fd_, key.object);
  }

  uint32_t generation() const { return generation_; }

 private:
  Watches() : generation_(ForkGeneration()) {}

  bool Start() {
    fd_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd_ < 0) return false;
    if (WatchReadable(fd_, [this] { OnEvents(); })) return true;
    const int error = errno;
    close(fd_);
    fd_ = -1;
    errno = error;
    return false;
  }

  // Each object once, however often it was changed: who changes it all the time
  // must not keep this thread reading, either. What is left comes after the
  // watching thread's pause.
  void OnEvents() {
    alignas(inotify_event) char buffer[4096];
    bool overflow = false;
    std::set<int> objects;
    for (int reads = 0; reads < kMaxReads; ++reads) {
      const ssize_t bytes = read(fd_, buffer, sizeof(buffer));
      if (bytes <= 0) break;
      for (ssize_t at = 0; at < bytes;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        at += static_cast<ssize_t>(sizeof(*event) + event->len);
        overflow |= (event->mask & IN_Q_OVERFLOW) != 0;
        if ((event->mask & IN_MODIFY) != 0) objects.insert(event->wd);
      }
    }
    if (overflow) {
      CallAll();
      return;
    }
    for (const int object : objects) Call(object);
  }

  void CallAll() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (auto object = callbacks_.begin(); object != callbacks_.end();) {
      const int number = object->first;
      lock.unlock();
      Call(number);
      lock.lock();
      object = callbacks_.upper_bound(number);
    }
  }

  void Call(int object) {
    std::unique_lock<std::mutex> lock(mutex_);
    uint64_t last = 0;
    for (;;) {
      const auto watched = callbacks_.find(object);
      if (watched == callbacks_.end()) return;
      const auto next = watched->second.upper_bound(last);
      if (next == watched->second.end()) return;
      last = running_id_ = next->first;
      // Stays where it is: Remove waits, and Add moves nothing in a map.
      Callback& on_change = next->second;
      lock.unlock();
      on_change();
      lock.lock();
      running_id_ = 0;
      callback_done_.notify_all();
    }
  }

  const uint32_t generation_;
  int fd_ = -1;
  std::mutex mutex_;
  std::condition_variable callback_done_;
  std::map<int, std::map<uint64_t, Callback>> callbacks_;
  uint64_t last_id_ = 0;
  uint64_t running_id_ = 0;  // whose callback runs; 0: none
};

class InotifyWatch final : public ShrinkWatch {
 public:
  InotifyWatch(Watches* watches, const Watches::Key& key)
      : watches_(watches), key_(key) {}
  ~InotifyWatch() override {
    if (watches_->generation() == ForkGeneration()) watches_->Remove(key_);
  }

 private:
  Watches* const watches_;
  const Watches::Key key_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ShrinkWatch>> ShrinkWatch::Start(
    const NamedMapping& mapping, std::function<void()> on_change) {
  const std::string what =
      absl::StrCat("watch mapping \"", mapping.name().name, "\"");
  Watches* const watches = Watches::Get();
  // By its descriptor: the name may be another object's by now.
  const Watches::Key key =
      watches->Add(absl::StrCat("/proc/self/fd/", mapping.descriptor()),
                   std::move(on_change));
  if (key.id == 0) {
    const int error = errno;
    if (error == ENOENT) {
      return absl::UnavailableError(
          absl::StrCat(what, ": /proc is not mounted"));
    }
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": ", DescribeOsError(error), "; raise fs.inotify.",
                     error == EMFILE ? "max_user_instances, or the limit of "
                                       "open files"
                                     : "max_user_watches"));
  }
  return std::unique_ptr<ShrinkWatch>(new InotifyWatch(watches, key));
}

}  // namespace platform
}  // namespace shmrpc
