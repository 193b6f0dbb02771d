// Who may open a shared object. Default: the current user alone (Windows: a
// protected DACL with one entry, owner set explicitly; Linux: mode 0600).

#ifndef SHMRPC_TRANSPORT_PLATFORM_ACCESS_POLICY_H_
#define SHMRPC_TRANSPORT_PLATFORM_ACCESS_POLICY_H_

#include <cstdint>
#include <string>

#include "absl/types/optional.h"

namespace shmrpc {
namespace platform {

struct AccessPolicy {
  // Windows: a security descriptor in SDDL instead of the default one. Where it
  // names no owner, the current user is.
  std::string sddl;
  // Linux: permission bits instead of 0600, and the group to give it to.
  absl::optional<uint32_t> mode;
  absl::optional<uint32_t> group_id;
  // Instead of all these: the current user and this one (user.h) may read and
  // write. Linux: an access control list, which tmpfs has if the kernel was
  // built with CONFIG_TMPFS_POSIX_ACL; UNIMPLEMENTED if not.
  std::string user;
  // Whoever else the fields above let in may only read.
  bool others_read_only = false;
};

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_ACCESS_POLICY_H_
