// Being told, without waking for it before, that somebody truncated an object.
//
//   auto watch = ShrinkWatch::Start(mapping, [&] { waiter.Interrupt(); });
//   ... asleep; then: if (mapping.SizeNowBytes() < mapping.size_bytes()) ...
//
// A thread that sleeps on a word of the object would never learn of it
// otherwise: truncating wakes nobody, and who wants to wake it finds no word.
//
// Linux: inotify on the file, served by the thread that watches deaths
// (process.h). Stores to a mapping, which is all that the object's users do,
// are no event; ftruncate, fallocate and write are. Windows: sections do not
// shrink, and the watch never calls.
//
// Thread rule: any. Ownership: the mapping outlives the watch; the watch is
// not destroyed by its own callback. Failures: RESOURCE_EXHAUSTED if the user
// has as many inotify instances or watches as the system allows; UNAVAILABLE
// without /proc.

#ifndef SHMRPC_TRANSPORT_PLATFORM_SHRINK_WATCH_H_
#define SHMRPC_TRANSPORT_PLATFORM_SHRINK_WATCH_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace platform {

class ShrinkWatch {
 public:
  // `on_change` runs on the watching thread whenever the object may have been
  // truncated: it must be short and must not block. It may be called for a
  // change that truncated nothing; several changes may be one call; and never
  // more than some ten calls come in a second, however often somebody
  // truncates.
  static absl::StatusOr<std::unique_ptr<ShrinkWatch>> Start(
      const NamedMapping& mapping, std::function<void()> on_change);

  // After it returns `on_change` is not running and will not run.
  virtual ~ShrinkWatch() = default;
};

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_SHRINK_WATCH_H_
