// The memory that an event needs beside the system's own: on Linux one page
// under the event's name with the futex word, on Windows none. Internal to
// transport/shared_memory.
//
// Thread rule: const members from any thread.

#ifndef SHMRPC_TRANSPORT_SHARED_MEMORY_EVENT_WORD_H_
#define SHMRPC_TRANSPORT_SHARED_MEMORY_EVENT_WORD_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/platform/mapping.h"
#include "transport/shared_memory/shared_name.h"

namespace shmrpc {

class EventWord {
 public:
  // Errors are the platform's, for Explain.
  static absl::StatusOr<EventWord> Create(const SharedName& name,
                                          const platform::AccessPolicy& access);
  // FAILED_PRECONDITION: the name is shared memory's.
  static absl::StatusOr<EventWord> Open(const SharedName& name,
                                        const platform::OpenOptions& options);

  // Is this mapping an event's memory? Never on Windows, where the system tells
  // kinds of objects apart.
  static bool IsIn(const platform::NamedMapping& mapping);

  // Null on Windows.
  std::atomic<uint32_t>* word() const;

  // Calls `use`, which may touch the word. False if that faulted.
  bool Guarded(absl::FunctionRef<void()> use) const;

 private:
  platform::NamedMapping mapping_;
  platform::View view_;
};

}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_SHARED_MEMORY_EVENT_WORD_H_
