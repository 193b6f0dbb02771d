#include "transport/platform/testing/watchdog.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

namespace shmrpc {
namespace testing {

struct Watchdog::Impl {
  std::mutex mutex;
  std::condition_variable changed;
  bool called_off = false;
  std::thread thread;
};

Watchdog::Watchdog(int timeout_s, std::string what)
    : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([impl = impl_.get(), timeout_s,
                               what = std::move(what)] {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(timeout_s);
    std::unique_lock<std::mutex> lock(impl->mutex);
    // The clock is asked again: some systems' timed waits end a little early.
    while (!impl->called_off && std::chrono::steady_clock::now() < deadline) {
      impl->changed.wait_until(lock, deadline);
    }
    if (impl->called_off) return;
    std::fprintf(stderr, "WATCHDOG: %d s are over: %s\n", timeout_s,
                 what.empty() ? "the test hangs" : what.c_str());
    std::fflush(stderr);
    std::abort();
  });
}

Watchdog::~Watchdog() {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->called_off = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

}  // namespace testing
}  // namespace shmrpc
