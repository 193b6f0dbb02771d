// What a MemoryView consists of, for those who make one. Internal to
// transport/shared_memory.

#ifndef SHMRPC_TRANSPORT_SHARED_MEMORY_MEMORY_VIEW_IMPL_H_
#define SHMRPC_TRANSPORT_SHARED_MEMORY_MEMORY_VIEW_IMPL_H_

#include <memory>
#include <string>

#include "shmrpc/memory_view.h"
#include "transport/platform/mapping.h"

namespace shmrpc {

struct MemoryView::Impl {
  // Holds the object, and with it the name: destroyed after the view.
  std::shared_ptr<const void> object;
  std::string what;  // shared memory "Local\foo"
  MemoryAccess access = MemoryAccess::kReadOnly;
  platform::View view;

  // `verb` "read": OUT_OF_RANGE unless the range is within the view.
  absl::Status CheckRange(absl::string_view verb, uint64_t offset_bytes,
                          uint64_t size_bytes) const;
  absl::Status CheckWritable(absl::string_view verb) const;
  // DATA_LOSS.
  absl::Status Fault(absl::string_view verb, uint64_t offset_bytes,
                     uint64_t size_bytes) const;
};

}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_SHARED_MEMORY_MEMORY_VIEW_IMPL_H_
