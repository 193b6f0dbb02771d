// One thread that sleeps in epoll_wait over the pidfds of all watched
// processes. A pidfd becomes readable when its process has ended, reaped or
// not.
//
// The thread is started by the first watch and never ends. It is not joined in
// a static destructor: other threads may still destroy watches at that time. A
// forked child has no such thread; it starts its own with its first watch, and
// leaves the watches that it inherited alone (their descriptors stay open in it
// until it ends or calls exec).

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/fork.h"
#include "transport/platform/module.h"
#include "transport/platform/os_error.h"
#include "transport/platform/process.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace shmrpc {
namespace platform {
namespace {

class WatchThread {
 public:
  // This process's, started if need be; null with errno if that fails.
  static WatchThread* Get();

  // Zero with errno on failure. Takes over `pidfd` if it succeeds.
  uint64_t Add(int pidfd, std::function<void()> on_death);
  // Returns when the callback neither runs nor will run.
  void Remove(uint64_t id);

  uint32_t generation() const { return generation_; }

 private:
  struct Entry {
    int pidfd;
    std::function<void()> on_death;
  };

  WatchThread() : generation_(ForkGeneration()) {}
  bool Start();
  static void* Run(void* self);
  void Loop();
  void OnEnd(uint64_t id);

  const uint32_t generation_;
  int epoll_fd_ = -1;
  pthread_t thread_ = {};

  std::mutex mutex_;
  std::condition_variable callback_done_;
  std::map<uint64_t, Entry> entries_;
  uint64_t last_id_ = 0;
  uint64_t running_id_ = 0;  // whose callback runs; 0: none
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
    // One at a time, so that none is handled that was removed meanwhile: ids
    // are never used twice, and OnEnd ignores those it does not know.
    epoll_event event;
    const int count = epoll_wait(epoll_fd_, &event, 1, -1);
    if (count == 1) OnEnd(event.data.u64);
    // A program that closed all its descriptors: rather blind than spinning.
    if (count < 0 && errno != EINTR) return;
  }
}

void WatchThread::OnEnd(uint64_t id) {
  std::function<void()> on_death;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    on_death = std::move(found->second.on_death);
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, found->second.pidfd, nullptr);
    close(found->second.pidfd);
    entries_.erase(found);
    running_id_ = id;
  }
  on_death();
  on_death = nullptr;  // what it owns goes before Remove returns
  {
    std::lock_guard<std::mutex> lock(mutex_);
    running_id_ = 0;
  }
  callback_done_.notify_all();
}

uint64_t WatchThread::Add(int pidfd, std::function<void()> on_death) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t id = last_id_ + 1;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, pidfd, &event) != 0) return 0;
  last_id_ = id;
  entries_.emplace(id, Entry{pidfd, std::move(on_death)});
  return id;
}

void WatchThread::Remove(uint64_t id) {
  std::function<void()> dropped;  // destroyed outside the lock
  std::unique_lock<std::mutex> lock(mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end()) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, found->second.pidfd, nullptr);
    close(found->second.pidfd);
    dropped = std::move(found->second.on_death);
    entries_.erase(found);
    lock.unlock();
    return;
  }
  if (pthread_equal(pthread_self(), thread_)) return;  // on_death itself
  callback_done_.wait(lock, [&] { return running_id_ != id; });
}

class PosixDeathWatch : public DeathWatch {
 public:
  PosixDeathWatch(WatchThread* thread, uint64_t id)
      : thread_(thread), id_(id), generation_(thread->generation()) {}

  ~PosixDeathWatch() override {
    if (generation_ == ForkGeneration()) thread_->Remove(id_);
  }

 private:
  WatchThread* const thread_;
  const uint64_t id_;
  const uint32_t generation_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeathWatch>> DeathWatch::Start(
    const ProcessId& process, std::function<void()> on_death) {
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
  const uint64_t id =
      thread == nullptr ? 0 : thread->Add(pidfd, std::move(on_death));
  if (id == 0) {
    const int error = errno;
    close(pidfd);
    return OsError(what, error);
  }
  return std::unique_ptr<DeathWatch>(new PosixDeathWatch(thread, id));
}

}  // namespace platform
}  // namespace shmrpc
