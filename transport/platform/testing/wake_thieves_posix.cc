#include "transport/platform/testing/wake_thieves_posix.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace shmrpc {
namespace testing {

WakeThieves::WakeThieves(std::atomic<uint32_t>* word, int count)
    : word_(word), running_(count) {
  const int before = SleepersOn(word);
  for (int i = 0; i < count; ++i) {
    threads_.emplace_back([this] {
      while (!stop_) {
        syscall(SYS_futex, word_, FUTEX_WAIT, 0, nullptr, nullptr, 0);
        word_->store(0);
      }
      --running_;
    });
  }
  while (SleepersOn(word) < before + count) std::this_thread::yield();
}

WakeThieves::~WakeThieves() {
  stop_ = true;
  // Again and again: some may be about to fall asleep.
  while (running_ != 0) {
    WakeWithoutSignal(word_);
    std::this_thread::yield();
  }
  for (std::thread& thread : threads_) thread.join();
}

int SleepersOn(std::atomic<uint32_t>* word) {
  // Moves them from the word to the word.
  return static_cast<int>(
      syscall(SYS_futex, word, FUTEX_REQUEUE, 0, INT_MAX, word, 0));
}

int WakeWithoutSignal(std::atomic<uint32_t>* word) {
  return static_cast<int>(
      syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0));
}

}  // namespace testing
}  // namespace shmrpc
