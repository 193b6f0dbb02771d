#include <windows.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/module.h"
#include "transport/platform/os_error.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace platform {
namespace {

struct Watch {
  HANDLE process = nullptr;
  HANDLE wait = nullptr;
  std::function<void()> on_death;
  // Who runs on_death; 0: nobody. relaxed: a thread asks whether it is itself.
  std::atomic<DWORD> callback_thread{0};
  // on_death has destroyed the DeathWatch. Of the callback's thread only.
  bool orphaned = false;

  ~Watch() {
    if (process != nullptr) CloseHandle(process);
  }
};

void CALLBACK OnEnd(void* context, BOOLEAN) {
  auto* const watch = static_cast<Watch*>(context);
  watch->callback_thread.store(GetCurrentThreadId(), std::memory_order_relaxed);
  watch->on_death();
  if (watch->orphaned) {
    delete watch;
  } else {
    watch->callback_thread.store(0, std::memory_order_relaxed);
  }
}

class WindowsDeathWatch : public DeathWatch {
 public:
  explicit WindowsDeathWatch(Watch* watch) : watch_(watch) {}

  ~WindowsDeathWatch() override {
    if (watch_->callback_thread.load(std::memory_order_relaxed) ==
        GetCurrentThreadId()) {
      // Waiting for itself would last for ever. ERROR_IO_PENDING is expected.
      (void)UnregisterWaitEx(watch_->wait, nullptr);
      watch_->orphaned = true;
      return;
    }
    (void)UnregisterWaitEx(watch_->wait, INVALID_HANDLE_VALUE);
    delete watch_;
  }

 private:
  Watch* const watch_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeathWatch>> DeathWatch::Start(
    const ProcessId& process, std::function<void()> on_death) {
  const std::string what = absl::StrCat("watch process ", process.pid);
  auto watch = std::make_unique<Watch>();
  watch->process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE,
                               FALSE, process.pid);
  if (watch->process == nullptr) {
    const int error = LastOsError();
    if (error == ERROR_INVALID_PARAMETER) {
      return absl::NotFoundError(absl::StrCat(what, ": no such process"));
    }
    return OsError(what, error);
  }
  // The handle pins the pid: if the start time is right now, it stays so.
  const absl::StatusOr<ProcessId> now = ProcessWithPid(process.pid);
  if (!now.ok()) return now.status();
  if (!(*now == process)) {
    return absl::NotFoundError(
        absl::StrCat(what, ": another process has its pid now"));
  }
  watch->on_death = std::move(on_death);
  PinModule();
  if (!RegisterWaitForSingleObject(&watch->wait, watch->process, &OnEnd,
                                   watch.get(), INFINITE, WT_EXECUTEONLYONCE)) {
    return OsError(what, LastOsError());
  }
  return std::unique_ptr<DeathWatch>(new WindowsDeathWatch(watch.release()));
}

}  // namespace platform
}  // namespace shmrpc
