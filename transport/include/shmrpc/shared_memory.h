// Named memory that processes of one machine share: what CreateFileMapping and
// shm_open give, with one lifetime rule on both systems, errors that say what
// to do, and accesses that return an error where plain ones would crash.
//
//   // writer                                  // reader, another process
//   auto memory = shmrpc::SharedMemory         auto memory =
//   shmrpc::SharedMemory
//       ::Create("Local\\numbers", 1 << 20);       ::Open("Local\\numbers");
//   if (!memory.ok()) return Fail(memory.status());
//   auto view = memory->Map();                 auto view = memory->Map();
//   view->Write(8, 42);                        int seen = *view->Read<int>(8);
//
// Names are written as on Windows, and mean the same on Linux:
//   "foo", "Local\\foo"  this session;        Linux: /dev/shm/foo
//   "Global\\foo"        the whole machine;   Linux: /dev/shm/global.foo.
//                        Creating memory there needs SeCreateGlobalPrivilege on
//                        Windows: services have it, users do not.
//   anything else with a '\' or a '/' is taken as it is, and not portable:
//     Windows: a private namespace, "Boundary\\foo", or "Session\\1\\foo"
//     Linux: the path of a file on a tmpfs, "/mnt/shm/foo"
// foo is 1 to 120 of A-Z a-z 0-9 . _ - and starts neither with '.' nor, unless
// it is global, with "global.". Memory and events share one space of names, as
// on Windows: an event and memory cannot both be called "foo".
//
// Lifetime: an object exists while any process holds it, that is, has a
// SharedMemory or a MemoryView of it. The last one frees the name and the
// memory, also when it crashes or is killed. What a crash leaves in /dev/shm is
// NOT_FOUND for Open, and replaced by the next Create. New memory is all zeros.
//
// Access: the current user alone, unless AccessControl says otherwise.
// Size: 64 bits everywhere, rounded up to whole pages. All of it is reserved
// when it is created (Linux: fallocate; Windows: SEC_COMMIT), so that memory
// that runs out is an error of Create and not a crash later.
//
// Thread rule: const members from any thread at once, others from one at a
// time. Ownership: a MemoryView keeps what it needs; the SharedMemory it came
// from may go first. After fork() a child may go on using views; a SharedMemory
// must be opened anew there.
//
// Failures are absl::Status, because a program that uses shmrpc has Abseil
// anyway (protobuf's and gRPC's world share it), and its Status carries a code
// to act on and a text to show. Each text says what failed, on which object,
// why, and what to do. The codes:
//   INVALID_ARGUMENT    bad name, size 0, unaligned atomic access
//   OUT_OF_RANGE        a range that is not within the memory or the view
//   ALREADY_EXISTS      Create: a living process holds the name
//   NOT_FOUND           Open: no living process holds the name
//   PERMISSION_DENIED   another user's object, or writing through read-only
//   RESOURCE_EXHAUSTED  no memory: /dev/shm is full (a default container has
//                       64 MiB), or Windows' commit limit is reached
//   FAILED_PRECONDITION the name is an event's; the existing memory is too
//                       small; an empty (moved-from) object; used after fork()
//   DATA_LOSS           the memory faulted under an access (see memory_view.h)

#ifndef SHMRPC_SHARED_MEMORY_H_
#define SHMRPC_SHARED_MEMORY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shmrpc/memory_view.h"
#include "shmrpc/named_event.h"
#include "shmrpc/named_object.h"

namespace shmrpc {

class SharedMemory {
 public:
  // Zeroed memory under a name that no living process holds. Windows:
  // CreateFileMapping(INVALID_HANDLE_VALUE, ...), where an existing name is an
  // error.
  static absl::StatusOr<SharedMemory> Create(absl::string_view name,
                                             uint64_t size_bytes,
                                             const AccessControl& access = {});

  // Memory that a living process holds, of whatever size it has. Windows:
  // OpenFileMapping.
  static absl::StatusOr<SharedMemory> Open(absl::string_view name,
                                           const OpenOptions& options = {});

  // Whichever is possible; created() tells. For processes that may start in any
  // order and for which zeros are a good beginning. FAILED_PRECONDITION if the
  // existing memory has fewer than `size_bytes`. Windows: CreateFileMapping.
  static absl::StatusOr<SharedMemory> CreateOrOpen(
      absl::string_view name, uint64_t size_bytes,
      const AccessControl& access = {}, const OpenOptions& options = {});

  SharedMemory();  // empty: nothing can be mapped
  SharedMemory(SharedMemory&&) noexcept;
  SharedMemory& operator=(SharedMemory&&) noexcept;
  ~SharedMemory();

  // A view of all of it, with the access it was opened with.
  absl::StatusOr<MemoryView> Map() const;
  // A view of all of it. PERMISSION_DENIED: writing to what was opened for
  // reading.
  absl::StatusOr<MemoryView> Map(MemoryAccess access) const;
  // A view of a range, which may begin and end anywhere (Windows: no multiple
  // of 64 KiB needed).
  absl::StatusOr<MemoryView> Map(uint64_t offset_bytes, uint64_t size_bytes,
                                 MemoryAccess access) const;

  // With its scope, as errors show it: Local\foo. "" if empty.
  const std::string& name() const;
  // As the system reports it, in whole pages. 0 if empty.
  uint64_t size_bytes() const;
  MemoryAccess access() const;
  // True if this process made it; false if it opened what existed.
  bool created() const;

 private:
  struct Impl;
  explicit SharedMemory(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace shmrpc

#endif  // SHMRPC_SHARED_MEMORY_H_
