// Wakes a thread of another process: an auto-reset event with a name. Part of
// shared_memory.h.
//
//   auto event = shmrpc::NamedEvent::CreateOrOpen("Local\\numbers.ready");
//   // the one who has something to tell       // the one who waits for it
//   view->Store<uint64_t>(0, count);           while (*view->Load<uint64_t>(0)
//   event->Signal();                                  <= taken) {
//                                                event->Wait();
//                                              }
//
// A Signal wakes one waiting thread; without one it is kept, and the next Wait
// returns at once. Several Signals before a Wait are one. So an event is a
// hint: what happened stands in shared memory, and a waiter looks there before
// and after, as above. What was written before a Signal is visible after the
// Wait that takes it.
//
// Names, lifetime, access and errors are those of shared_memory.h. Windows:
// CreateEvent, which other programs can open by the same name. Linux: a small
// mapping of its own (one page) with a futex word.
//
// Thread rule: any number of threads at once; none may be waiting when it is
// destroyed or moved from.

#ifndef SHMRPC_NAMED_EVENT_H_
#define SHMRPC_NAMED_EVENT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shmrpc/named_object.h"

namespace shmrpc {

class NamedEvent {
 public:
  // Not signalled at first.
  static absl::StatusOr<NamedEvent> Create(absl::string_view name,
                                           const AccessControl& access = {});
  static absl::StatusOr<NamedEvent> Open(absl::string_view name,
                                         const OpenOptions& options = {});
  static absl::StatusOr<NamedEvent> CreateOrOpen(
      absl::string_view name, const AccessControl& access = {},
      const OpenOptions& options = {});

  NamedEvent();  // empty: FAILED_PRECONDITION
  NamedEvent(NamedEvent&&) noexcept;
  NamedEvent& operator=(NamedEvent&&) noexcept;
  ~NamedEvent();

  // Never blocks. DATA_LOSS: the object was truncated (Linux); create it anew.
  absl::Status Signal() const;

  // OK: a Signal was taken. DEADLINE_EXCEEDED: none came in time; never before
  // the time is up. 0 and less only take a Signal that is there already.
  // DATA_LOSS as above.
  absl::Status Wait() const;  // without limit
  template <class Rep, class Period>
  absl::Status Wait(std::chrono::duration<Rep, Period> timeout) const;
  absl::Status WaitUntil(std::chrono::steady_clock::time_point deadline) const;
  // Of the wall clock as it is now; setting it later changes nothing.
  absl::Status WaitUntil(std::chrono::system_clock::time_point deadline) const;

  const std::string& name() const;  // "" if empty
  bool created() const;             // false: it existed before

 private:
  struct Impl;
  explicit NamedEvent(std::unique_ptr<Impl> impl);
  // INT64_MAX: without limit.
  absl::Status WaitFor(int64_t timeout_ns) const;

  std::unique_ptr<Impl> impl_;
};

// Implementation only below.

// hours::max() and the like do not fit into nanoseconds: "without limit".
template <class Rep, class Period>
absl::Status NamedEvent::Wait(
    std::chrono::duration<Rep, Period> timeout) const {
  using std::chrono::duration;
  using std::chrono::nanoseconds;
  const duration<double, std::nano> wanted = timeout;
  if (wanted.count() >= 9.2e18) return WaitFor(INT64_MAX);
  // "Not at all" includes NaN.
  if (!(wanted.count() > 0)) return WaitFor(0);
  // Rounded up: never before the time is up.
  nanoseconds rounded = std::chrono::duration_cast<nanoseconds>(timeout);
  if (rounded < timeout) ++rounded;
  return WaitFor(rounded.count());
}

}  // namespace shmrpc

#endif  // SHMRPC_NAMED_EVENT_H_
