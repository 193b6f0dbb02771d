// One thread that sleeps in epoll_wait over the pidfds of all watched
// processes. A pidfd becomes readable when its process has ended, reaped or
// not. It serves one more descriptor (watch_thread_posix.h), too.
//
// All watches of one process share a pidfd, and the last few processes stay
// pinned when nobody watches them any more: to watch them again, and to ask
// whether they live, then takes no look at /proc, which costs more than the
// rest of a handshake's system calls together.
//
// The thread is started by the first watch and never ends. It is not joined in
// a static destructor: other threads may still destroy watches at that time. A
// forked child has no such thread; it starts its own with its first watch, and
// leaves the watches that it inherited alone (their descriptors stay open in it
// until it ends or calls exec).

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/clock.h"
#include "transport/platform/fork.h"
#include "transport/platform/module.h"
#include "transport/platform/os_error.h"
#include "transport/platform/process.h"
#include "transport/platform/watch_thread_posix.h"
#include "transport/platform/watched_process_posix.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace shmrpc {
namespace platform {
namespace {

// Processes that stay pinned although nobody watches them.
constexpr size_t kMaxIdle = 16;
// Of the other descriptor.
constexpr uint64_t kReadable = 0;  // its number
constexpr int64_t kMillisecondNs = 1000 * 1000;
constexpr int64_t kReadablePauseNs = 100 * kMillisecondNs;

class WatchThread {
 public:
  using Callback = std::function<void()>;
  // One watch; `id` 0: none.
  struct Key {
    uint64_t number = 0;  // of the process here
    uint64_t id = 0;
  };

  // This process's, started if need be; null with errno if that fails.
  static WatchThread* Get();
  // The same, but null if it was not started.
  static WatchThread* Running();

  // None, and `on_death` untouched, if `process` is not known here.
  Key AddToKnown(const ProcessId& process, Callback* on_death);
  // None with errno on failure. Takes over `pidfd` if it succeeds.
  Key Add(const ProcessId& process, int pidfd, Callback on_death);
  // Returns when the callback neither runs nor will run.
  void Remove(const Key& key);
  // Once. False with errno on failure.
  bool AddReadable(int fd, Callback on_readable);
  // nullopt: not known here.
  absl::optional<bool> IsAlive(const ProcessId& process);

  uint32_t generation() const { return generation_; }

 private:
  struct Watched {
    ProcessId process;
    int pidfd;                              // -1: it has ended
    std::map<uint64_t, Callback> on_death;  // by id
  };
  struct Less {
    bool operator()(const ProcessId& a, const ProcessId& b) const {
      return a.pid != b.pid ? a.pid < b.pid : a.start_time < b.start_time;
    }
  };

  WatchThread() : generation_(ForkGeneration()) {}
  bool Start();
  static void* Run(void* self);
  void Loop();
  void OnEnd(uint64_t number);
  void OnReadable();
  // How long to sleep, in milliseconds; listens to the descriptor again when
  // its pause is over.
  int PauseLeftMs();
  // These under the mutex.
  Key Attach(uint64_t number, Callback on_death);
  void Forget(Watched* watched);

  const uint32_t generation_;
  int epoll_fd_ = -1;
  pthread_t thread_ = {};

  std::mutex mutex_;
  std::condition_variable callback_done_;
  std::map<uint64_t, Watched> watched_;          // by number
  std::map<ProcessId, uint64_t, Less> numbers_;  // of those that live
  std::deque<uint64_t> idle_;  // numbers nobody watches, the oldest first
  uint64_t last_id_ = 0;       // numbers and ids: none is used twice
  uint64_t running_id_ = 0;    // whose callback runs; 0: none
  int readable_fd_ = -1;
  Callback on_readable_;  // constant once epoll knows the descriptor

  int64_t pause_until_ns_ = 0;  // the thread's own; 0: there is none
};

std::atomic<WatchThread*> current_thread{nullptr};

WatchThread* WatchThread::Get() {
  // acquire: SYNC(watch-thread-made).
  WatchThread* current = current_thread.load(std::memory_order_acquire);
  while (current == nullptr || current->generation_ != ForkGeneration()) {
    auto* fresh = new WatchThread;
    if (!fresh->Start()) {
      const int error = errno;
      delete fresh;
      errno = error;
      return nullptr;
    }
    // release: SYNC(watch-thread-made). A parent's one is leaked: its mutex may
    // have been locked at the time of the fork. One that lost the race against
    // another thread stays, idle; that happens once in a process at most.
    if (current_thread.compare_exchange_strong(current, fresh,
                                               std::memory_order_acq_rel,
                                               std::memory_order_acquire)) {
      return fresh;
    }
  }
  return current;
}

WatchThread* WatchThread::Running() {
  // acquire: SYNC(watch-thread-made).
  WatchThread* current = current_thread.load(std::memory_order_acquire);
  return current == nullptr || current->generation_ != ForkGeneration()
             ? nullptr
             : current;
}

bool WatchThread::Start() {
  PinModule();
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) return false;
  // The program's signals are not for this thread. Faults stay unblocked.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  for (const int fault : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS}) {
    sigdelset(&blocked, fault);
  }
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  const int error = pthread_create(&thread_, nullptr, &Run, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    close(epoll_fd_);
    errno = error;
    return false;
  }
  pthread_detach(thread_);
  return true;
}

void* WatchThread::Run(void* self) {
  pthread_setname_np(pthread_self(), "shmrpc-deaths");
  static_cast<WatchThread*>(self)->Loop();
  return nullptr;
}

void WatchThread::Loop() {
  while (true) {
    // One at a time, so that none is handled that was removed meanwhile:
    // numbers are never used twice, and OnEnd ignores those it does not know.
    epoll_event event;
    const int count = epoll_wait(epoll_fd_, &event, 1, PauseLeftMs());
    if (count == 1) {
      if (event.data.u64 == kReadable) {
        OnReadable();
      } else {
        OnEnd(event.data.u64);
      }
    }
    // A program that closed all its descriptors: rather blind than spinning.
    if (count < 0 && errno != EINTR) return;
  }
}

bool WatchThread::AddReadable(int fd, Callback on_readable) {
  std::lock_guard<std::mutex> lock(mutex_);
  readable_fd_ = fd;
  on_readable_ = std::move(on_readable);
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = kReadable;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void WatchThread::OnReadable() {
  Callback* on_readable;
  {
    // For what AddReadable wrote.
    std::lock_guard<std::mutex> lock(mutex_);
    on_readable = &on_readable_;
  }
  (*on_readable)();
  pause_until_ns_ = MonotonicNowNs() + kReadablePauseNs;
}

int WatchThread::PauseLeftMs() {
  if (pause_until_ns_ == 0) return -1;
  const int64_t left_ns = pause_until_ns_ - MonotonicNowNs();
  if (left_ns > 0) return static_cast<int>(left_ns / kMillisecondNs) + 1;
  pause_until_ns_ = 0;
  std::lock_guard<std::mutex> lock(mutex_);
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = kReadable;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, readable_fd_, &event);
  return -1;
}

void WatchThread::OnEnd(uint64_t number) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto found = watched_.find(number);
  if (found == watched_.end()) return;
  Watched& ended = found->second;
  Forget(&ended);
  // Others may be removed while one runs; none is added any more.
  while (!ended.on_death.empty()) {
    const auto first = ended.on_death.begin();
    running_id_ = first->first;
    Callback on_death = std::move(first->second);
    ended.on_death.erase(first);
    lock.unlock();
    on_death();
    on_death = nullptr;  // what it owns goes before Remove returns
    lock.lock();
    running_id_ = 0;
    callback_done_.notify_all();
  }
  watched_.erase(found);
}

void WatchThread::Forget(Watched* watched) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, watched->pidfd, nullptr);
  close(watched->pidfd);
  watched->pidfd = -1;
  const auto number = numbers_.find(watched->process);
  idle_.erase(std::remove(idle_.begin(), idle_.end(), number->second),
              idle_.end());
  numbers_.erase(number);
}

WatchThread::Key WatchThread::Attach(uint64_t number, Callback on_death) {
  Watched& watched = watched_.find(number)->second;
  if (watched.on_death.empty()) {
    idle_.erase(std::remove(idle_.begin(), idle_.end(), number), idle_.end());
  }
  const uint64_t id = ++last_id_;
  watched.on_death.emplace(id, std::move(on_death));
  return {number, id};
}

WatchThread::Key WatchThread::AddToKnown(const ProcessId& process,
                                         Callback* on_death) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto known = numbers_.find(process);
  if (known == numbers_.end()) return {};
  return Attach(known->second, std::move(*on_death));
}

WatchThread::Key WatchThread::Add(const ProcessId& process, int pidfd,
                                  Callback on_death) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto known = numbers_.find(process);
  if (known != numbers_.end()) {  // another thread was faster
    close(pidfd);
    return Attach(known->second, std::move(on_death));
  }
  const uint64_t number = last_id_ + 1;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = number;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, pidfd, &event) != 0) return {};
  last_id_ = number;
  watched_.emplace(number, Watched{process, pidfd, {}});
  numbers_.emplace(process, number);
  return Attach(number, std::move(on_death));
}

void WatchThread::Remove(const Key& key) {
  Callback dropped;  // destroyed outside the lock
  std::unique_lock<std::mutex> lock(mutex_);
  const auto found = watched_.find(key.number);
  if (found != watched_.end()) {
    Watched& watched = found->second;
    const auto on_death = watched.on_death.find(key.id);
    if (on_death != watched.on_death.end()) {
      dropped = std::move(on_death->second);
      watched.on_death.erase(on_death);
      if (watched.on_death.empty() && watched.pidfd >= 0) {
        idle_.push_back(key.number);
        if (idle_.size() > kMaxIdle) {
          const auto oldest = watched_.find(idle_.front());
          Forget(&oldest->second);
          watched_.erase(oldest);
        }
      }
      lock.unlock();
      return;
    }
  }
  if (pthread_equal(pthread_self(), thread_)) return;  // on_death itself
  callback_done_.wait(lock, [&] { return running_id_ != key.id; });
}

absl::optional<bool> WatchThread::IsAlive(const ProcessId& process) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto known = numbers_.find(process);
  if (known == numbers_.end()) return absl::nullopt;
  pollfd ended = {watched_.find(known->second)->second.pidfd, POLLIN, 0};
  if (poll(&ended, 1, 0) < 0 || (ended.revents & POLLNVAL) != 0) {
    return absl::nullopt;
  }
  return ended.revents == 0;
}

class PosixDeathWatch : public DeathWatch {
 public:
  PosixDeathWatch(WatchThread* thread, const WatchThread::Key& key)
      : thread_(thread), key_(key), generation_(thread->generation()) {}

  ~PosixDeathWatch() override {
    if (generation_ == ForkGeneration()) thread_->Remove(key_);
  }

 private:
  WatchThread* const thread_;
  const WatchThread::Key key_;
  const uint32_t generation_;
};

}  // namespace

absl::optional<bool> WatchedProcessIsAlive(const ProcessId& process) {
  WatchThread* const thread = WatchThread::Running();
  return thread == nullptr ? absl::nullopt : thread->IsAlive(process);
}

bool WatchReadable(int fd, std::function<void()> on_readable) {
  WatchThread* const thread = WatchThread::Get();
  return thread != nullptr && thread->AddReadable(fd, std::move(on_readable));
}

absl::StatusOr<std::unique_ptr<DeathWatch>> DeathWatch::Start(
    const ProcessId& process, std::function<void()> on_death) {
  if (WatchThread* const running = WatchThread::Running()) {
    const WatchThread::Key key = running->AddToKnown(process, &on_death);
    if (key.id != 0) {
      return std::unique_ptr<DeathWatch>(new PosixDeathWatch(running, key));
    }
  }
  const std::string what = absl::StrCat("watch process ", process.pid);
  const int pidfd = static_cast<int>(
      syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0));
  if (pidfd < 0) {
    const int error = errno;
    if (process.pid == 0 || error == EINVAL) {
      return absl::NotFoundError(absl::StrCat(what, ": no such process"));
    }
    if (error == ENOSYS || error == EPERM) {
      return absl::UnimplementedError(absl::StrCat(
          what, ": ", DescribeOsError(error),
          ": pidfd_open needs Linux 5.3, and a container that allows it"));
    }
    return OsError(what, error);
  }
  // Asked now that the descriptor pins whoever has the pid: if the start time
  // is right, it is this process that is pinned.
  const absl::StatusOr<ProcessId> now = ProcessWithPid(process.pid);
  if (!now.ok() || !(*now == process)) {
    close(pidfd);
    if (!now.ok()) return now.status();
    return absl::NotFoundError(
        absl::StrCat(what, ": another process has its pid now"));
  }
  WatchThread* const thread = WatchThread::Get();
  const WatchThread::Key key =
      thread == nullptr ? WatchThread::Key{}
                        : thread->Add(process, pidfd, std::move(on_death));
  if (key.id == 0) {
    const int error = errno;
    close(pidfd);
    return OsError(what, error);
  }
  return std::unique_ptr<DeathWatch>(new PosixDeathWatch(thread, key));
}

}  // namespace platform
}  // namespace shmrpc
