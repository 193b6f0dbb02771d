// Who may open a named object (memory, events, what a server listens on), and
// how memory and events are opened. Part of shared_memory.h.

#ifndef SHMRPC_NAMED_OBJECT_H_
#define SHMRPC_NAMED_OBJECT_H_

#include <cstdint>
#include <optional>
#include <string>

namespace shmrpc {

enum class MemoryAccess { kReadOnly, kReadWrite };

// Given to Create, and to ServerBuilder::SetAccess. By default the current user
// alone: on Windows a protected DACL with one entry, on Linux mode 0600. Each
// system ignores the other's fields, so one program can fill in both.
struct AccessControl {
  // Windows: a security descriptor in SDDL. "D:P(A;;GA;;;OW)(A;;GR;;;BU)" lets
  // the owner do everything and all users read.
  std::string sddl;
  // Linux: permission bits, 0640 for instance.
  std::optional<uint32_t> mode;
  // Linux: the group it is given to. This process must be in it, or be root.
  std::optional<uint32_t> group_id;
};

// Given to Open.
struct OpenOptions {
  // Events are always opened for both.
  MemoryAccess access = MemoryAccess::kReadWrite;
  // Refuse (PERMISSION_DENIED) what belongs to another user than this
  // process's: anybody may take a name that is free. Objects of root, of
  // Administrators and of the system pass. Set to false to use memory that
  // another user shares on purpose. Not checked for events on Windows.
  bool require_same_owner = true;
};

}  // namespace shmrpc

#endif  // SHMRPC_NAMED_OBJECT_H_
