#include <windows.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/platform/os_error.h"
#include "transport/platform/security_win.h"

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

namespace shmrpc {
namespace platform {

absl::StatusOr<Event> Event::Create(const ObjectName& name,
                                    std::atomic<uint32_t>*,
                                    const AccessPolicy& access) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  const std::string what = absl::StrCat("create event \"", name.name, "\"");
  absl::StatusOr<SecurityAttributes> security =
      SecurityAttributes::Make(what, access);
  if (!security.ok()) return security.status();
  Event event;
  SetLastError(ERROR_SUCCESS);
  event.handle_ =
      CreateEventW(security->get(), /*bManualReset=*/FALSE,
                   /*bInitialState=*/FALSE, Wide(name.OsName()).c_str());
  const int error = LastOsError();
  if (error == ERROR_ALREADY_EXISTS || error == ERROR_INVALID_HANDLE) {
    return absl::AlreadyExistsError(
        absl::StrCat(what, ": ", DescribeOsError(error)));
  }
  if (event.handle_ == nullptr) return OsError(what, error);
  return event;
}

absl::StatusOr<Event> Event::Open(const ObjectName& name,
                                  std::atomic<uint32_t>*) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  Event event;
  event.handle_ = OpenEventW(SYNCHRONIZE | EVENT_MODIFY_STATE, FALSE,
                             Wide(name.OsName()).c_str());
  if (event.handle_ == nullptr) {
    return OsError(absl::StrCat("open event \"", name.name, "\""),
                   LastOsError());
  }
  return event;
}

Event::Event(Event&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

Event::~Event() {
  if (handle_ != nullptr) CloseHandle(handle_);
}

void Event::Signal() { SetEvent(handle_); }

void Event::SignalAll() { Signal(); }

bool Event::Gone() const { return false; }

struct Waiter::Impl {
  HANDLE interrupted = nullptr;  // auto-reset
  HANDLE timer = nullptr;        // made when first needed

  // Milliseconds for WaitForMultipleObjects; or INFINITE with the timer set.
  // Time-outs of the wait itself are rounded up to 15.6 ms, the timer's are
  // not.
  DWORD Arm(int64_t deadline_ns, bool* use_timer) {
    *use_timer = false;
    if (deadline_ns == kNever) return INFINITE;
    const int64_t now_ns = MonotonicNowNs();
    if (deadline_ns <= now_ns) return 0;
    const int64_t left_ns = deadline_ns - now_ns;
    // Far away: up to shortly before it, then look again.
    constexpr int64_t kSecondNs = 1000000000;
    if (left_ns > 2 * kSecondNs) {
      return static_cast<DWORD>(
          std::min<int64_t>(left_ns - kSecondNs, 3600 * kSecondNs) / 1000000);
    }
    if (timer == nullptr) {
      timer = CreateWaitableTimerExW(nullptr, nullptr,
                                     CREATE_WAITABLE_TIMER_HIGH_RESOLUTION,
                                     TIMER_ALL_ACCESS);
    }
    // Before Windows 10 1803 there is only the plain one.
    if (timer == nullptr) {
      timer = CreateWaitableTimerExW(nullptr, nullptr, 0, TIMER_ALL_ACCESS);
    }
    LARGE_INTEGER due;
    due.QuadPart = -((left_ns + 99) / 100);  // relative, in 100 ns
    *use_timer = timer != nullptr &&
                 SetWaitableTimer(timer, &due, 0, nullptr, nullptr, FALSE);
    return *use_timer ? INFINITE : static_cast<DWORD>(left_ns / 1000000 + 1);
  }
};

Waiter::Waiter() : impl_(std::make_unique<Impl>()) {
  impl_->interrupted = CreateEventW(nullptr, FALSE, FALSE, nullptr);
}

Waiter::~Waiter() {
  if (impl_->interrupted != nullptr) CloseHandle(impl_->interrupted);
  if (impl_->timer != nullptr) CloseHandle(impl_->timer);
}

WaitResult Waiter::Wait(Event* event, int64_t deadline_ns) {
  return WaitFor(event, deadline_ns, /*hint=*/false);
}

// The system takes the signal and wakes who takes it in one.
WaitResult Waiter::WaitForHint(Event* event, int64_t deadline_ns) {
  return WaitFor(event, deadline_ns, /*hint=*/true);
}

WaitResult Waiter::WaitFor(Event* event, int64_t deadline_ns, bool) {
  while (true) {
    bool use_timer = false;
    const DWORD timeout_ms = impl_->Arm(deadline_ns, &use_timer);
    // Of several signalled ones the first is taken, and only that is reset.
    HANDLE handles[3] = {impl_->interrupted};
    DWORD count = 1;
    if (event != nullptr) handles[count++] = event->handle_;
    if (use_timer) handles[count++] = impl_->timer;
    const DWORD result =
        WaitForMultipleObjects(count, handles, FALSE, timeout_ms);
    if (result == WAIT_OBJECT_0) return WaitResult::kInterrupted;
    if (event != nullptr && result == WAIT_OBJECT_0 + 1) {
      return WaitResult::kSignaled;
    }
    // No event to wait for (the system is out of handles): as final as poison.
    if (result == WAIT_FAILED) return WaitResult::kPoisoned;
    // The timer or the time-out, which may come a little early.
    if (deadline_ns != kNever && MonotonicNowNs() >= deadline_ns) {
      return WaitResult::kTimeout;
    }
  }
}

void Waiter::Interrupt() { SetEvent(impl_->interrupted); }

}  // namespace platform
}  // namespace shmrpc
