#include "shmrpc/named_event.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/platform/clock.h"
#include "transport/platform/event.h"
#include "transport/shared_memory/event_word.h"
#include "transport/shared_memory/open_options.h"
#include "transport/shared_memory/shared_name.h"

namespace shmrpc {
namespace {

constexpr absl::string_view kKind = "event";

// Nanoseconds from `now` to `deadline`, rounded up.
template <class Clock>
int64_t NsUntil(typename Clock::time_point deadline,
                typename Clock::time_point now) {
  if (deadline <= now) return 0;
  // Both are beyond the epoch in practice, so that this does not overflow; a
  // clock before it is clamped.
  const auto from = std::max(now, typename Clock::time_point());
  if (deadline <= from) return 0;
  const auto left = deadline - from;
  // system_clock counts in 100 ns on Windows and in ns on Linux: the maximum
  // may not fit.
  constexpr auto kMost = std::chrono::duration_cast<typename Clock::duration>(
      std::chrono::nanoseconds::max());
  if (left >= kMost) return INT64_MAX;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
}

}  // namespace

struct NamedEvent::Impl {
  SharedName name;
  bool created = false;
  EventWord word;         // outlives the event
  platform::Event event;  // does not change after construction

  // Sleeping places, one per thread that waits; those not in use.
  std::mutex mutex;
  std::vector<std::unique_ptr<platform::Waiter>> waiters;

  std::unique_ptr<platform::Waiter> TakeWaiter() {
    std::lock_guard<std::mutex> lock(mutex);
    if (waiters.empty()) return std::make_unique<platform::Waiter>();
    std::unique_ptr<platform::Waiter> waiter = std::move(waiters.back());
    waiters.pop_back();
    return waiter;
  }

  void GiveBack(std::unique_ptr<platform::Waiter> waiter) {
    std::lock_guard<std::mutex> lock(mutex);
    waiters.push_back(std::move(waiter));
  }

  absl::Status Fault(absl::string_view verb) const {
    return absl::DataLossError(absl::StrCat(
        verb, " ", Describe(kKind, name.display),
        ": its memory faulted: a process truncated the object; every process "
        "that uses it has to drop it and create it anew"));
  }
};

absl::StatusOr<NamedEvent> NamedEvent::Create(absl::string_view name,
                                              const AccessControl& access) {
  absl::StatusOr<SharedName> parsed = ParseName("create event", name);
  if (!parsed.ok()) return parsed.status();
  auto impl = std::make_unique<Impl>();
  impl->name = *std::move(parsed);
  impl->created = true;
  constexpr absl::string_view kAdvice = "or use CreateOrOpen to share it";
  const platform::AccessPolicy policy = ToPlatform(access);
  absl::StatusOr<EventWord> word = EventWord::Create(impl->name, policy);
  if (!word.ok()) return Explain(word.status(), kKind, impl->name, kAdvice);
  impl->word = *std::move(word);
  absl::StatusOr<platform::Event> event =
      platform::Event::Create(impl->name.object, impl->word.word(), policy);
  if (!event.ok()) return Explain(event.status(), kKind, impl->name, kAdvice);
  impl->event = *std::move(event);
  return NamedEvent(std::move(impl));
}

absl::StatusOr<NamedEvent> NamedEvent::Open(absl::string_view name,
                                            const OpenOptions& options) {
  absl::StatusOr<SharedName> parsed = ParseName("open event", name);
  if (!parsed.ok()) return parsed.status();
  auto impl = std::make_unique<Impl>();
  impl->name = *std::move(parsed);
  absl::StatusOr<EventWord> word =
      EventWord::Open(impl->name, ToPlatform(options));
  if (!word.ok()) return Explain(word.status(), kKind, impl->name);
  impl->word = *std::move(word);
  absl::StatusOr<platform::Event> event =
      platform::Event::Open(impl->name.object, impl->word.word());
  if (!event.ok()) return Explain(event.status(), kKind, impl->name);
  impl->event = *std::move(event);
  return NamedEvent(std::move(impl));
}

absl::StatusOr<NamedEvent> NamedEvent::CreateOrOpen(
    absl::string_view name, const AccessControl& access,
    const OpenOptions& options) {
  absl::Status status;
  for (int attempt = 0; attempt < kCreateOrOpenAttempts; ++attempt) {
    absl::StatusOr<NamedEvent> event = Create(name, access);
    status = event.status();
    if (status.code() != absl::StatusCode::kAlreadyExists) return event;
    event = Open(name, options);
    if (event.status().code() != absl::StatusCode::kNotFound) return event;
    std::this_thread::yield();  // its holder has just left
  }
  return status;
}

NamedEvent::NamedEvent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NamedEvent::NamedEvent() = default;
NamedEvent::NamedEvent(NamedEvent&&) noexcept = default;
NamedEvent& NamedEvent::operator=(NamedEvent&&) noexcept = default;
NamedEvent::~NamedEvent() = default;

absl::Status NamedEvent::Signal() const {
  if (impl_ == nullptr) return EmptyObject("signal an event");
  if (!impl_->word.Guarded([&] { impl_->event.Signal(); })) {
    return impl_->Fault("signal");
  }
  return absl::OkStatus();
}

absl::Status NamedEvent::WaitFor(int64_t timeout_ns) const {
  if (impl_ == nullptr) return EmptyObject("wait for an event");
  int64_t deadline_ns = platform::kNever;
  if (timeout_ns <= 0) {
    deadline_ns = 0;
  } else if (timeout_ns != INT64_MAX) {
    const int64_t now_ns = platform::MonotonicNowNs();
    if (timeout_ns < INT64_MAX - now_ns) deadline_ns = now_ns + timeout_ns;
  }
  std::unique_ptr<platform::Waiter> waiter = impl_->TakeWaiter();
  platform::WaitResult result = platform::WaitResult::kPoisoned;
  const bool healthy = impl_->word.Guarded(
      [&] { result = waiter->Wait(&impl_->event, deadline_ns); });
  impl_->GiveBack(std::move(waiter));
  if (!healthy) return impl_->Fault("wait for");
  switch (result) {
    case platform::WaitResult::kSignaled:
      return absl::OkStatus();
    case platform::WaitResult::kTimeout:
      return absl::DeadlineExceededError(
          absl::StrCat("wait for ", Describe(kKind, impl_->name.display),
                       ": nobody signalled it in time"));
    case platform::WaitResult::kInterrupted:  // nobody does
    case platform::WaitResult::kPoisoned:
      break;
  }
  return impl_->Fault("wait for");
}

absl::Status NamedEvent::Wait() const { return WaitFor(INT64_MAX); }

absl::Status NamedEvent::WaitUntil(
    std::chrono::steady_clock::time_point deadline) const {
  using Clock = std::chrono::steady_clock;
  return WaitFor(NsUntil<Clock>(deadline, Clock::now()));
}

absl::Status NamedEvent::WaitUntil(
    std::chrono::system_clock::time_point deadline) const {
  using Clock = std::chrono::system_clock;
  return WaitFor(NsUntil<Clock>(deadline, Clock::now()));
}

const std::string& NamedEvent::name() const {
  static const std::string* const none = new std::string;
  return impl_ == nullptr ? *none : impl_->name.display;
}

bool NamedEvent::created() const { return impl_ != nullptr && impl_->created; }

}  // namespace shmrpc
