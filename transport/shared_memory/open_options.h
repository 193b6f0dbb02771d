// The public options as transport/platform has them. Internal to
// transport/shared_memory.

#ifndef SHMRPC_TRANSPORT_SHARED_MEMORY_OPEN_OPTIONS_H_
#define SHMRPC_TRANSPORT_SHARED_MEMORY_OPEN_OPTIONS_H_

#include "shmrpc/named_object.h"
#include "transport/platform/mapping.h"

namespace shmrpc {

// How often CreateOrOpen tries the one and the other. Each round but the first
// means that another process came or left just then.
constexpr int kCreateOrOpenAttempts = 100;

inline platform::Access ToPlatform(MemoryAccess access) {
  return access == MemoryAccess::kReadWrite ? platform::Access::kReadWrite
                                            : platform::Access::kReadOnly;
}

inline platform::AccessPolicy ToPlatform(const AccessControl& access) {
  platform::AccessPolicy policy;
  policy.sddl = access.sddl;
  // One by one: an Abseil that was built for C++14 has an optional of its own.
  if (access.mode.has_value()) policy.mode = *access.mode;
  if (access.group_id.has_value()) policy.group_id = *access.group_id;
  return policy;
}

inline platform::OpenOptions ToPlatform(const OpenOptions& options) {
  platform::OpenOptions result;
  result.access = ToPlatform(options.access);
  result.require_same_owner = options.require_same_owner;
  return result;
}

}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_SHARED_MEMORY_OPEN_OPTIONS_H_
