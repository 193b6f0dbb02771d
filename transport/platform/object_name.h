// The name of a shared object, as people know it from Windows.
//
//   kLocal   this session: `Local\name` (Windows), /dev/shm/name (Linux).
//   kGlobal  all sessions of the machine: `Global\name` (Windows; creating a
//            section there needs SeCreateGlobalPrivilege, which services have
//            and plain users do not). Linux has no sessions; the name is kept
//            apart from local ones: /dev/shm/global.name.
//   kCustom  exactly as given: a private-namespace path such as `Boundary\name`
//            on Windows; on Linux an absolute path of a file on a tmpfs
//            (another mount than /dev/shm, for instance).
//
// A local or global name is 1 to 120 bytes of [A-Za-z0-9._-] and does not start
// with a dot; a local one does not start with "global." either. The set is what
// both systems accept without escaping: '\' is Windows' namespace separator,
// '/' is Linux' directory separator.

#ifndef SHMRPC_TRANSPORT_PLATFORM_OBJECT_NAME_H_
#define SHMRPC_TRANSPORT_PLATFORM_OBJECT_NAME_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shmrpc {
namespace platform {

enum class Scope { kLocal, kGlobal, kCustom };

constexpr size_t kMaxNameBytes = 120;

struct ObjectName {
  Scope scope = Scope::kLocal;
  std::string name;

  // The same scope, `name` + `suffix`.
  ObjectName WithSuffix(absl::string_view suffix) const;

  // What the OS calls it: `Local\name`, or "/dev/shm/name". Only valid names.
  std::string OsName() const;
};

// INVALID_ARGUMENT naming the offending character and its position, or the
// length and the limit.
absl::Status ValidateName(const ObjectName& name);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_OBJECT_NAME_H_
