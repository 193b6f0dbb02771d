// Who a process runs as, as text: on Linux the numeric user id, "1000"; on
// Windows the SID, "S-1-5-21-...". Two users are the same if their texts are.
//
//   if (mapping.owner().user == CurrentUser()) ...
//
// Thread rule: any.

#ifndef SHMRPC_TRANSPORT_PLATFORM_USER_H_
#define SHMRPC_TRANSPORT_PLATFORM_USER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shmrpc {
namespace platform {

// The user whose objects this process makes: the effective one; "" if the
// system does not say.
std::string CurrentUser();

// The user that a person means: Linux: a number or a name, Windows: a SID.
// INVALID_ARGUMENT if it is neither, NOT_FOUND for a name that nobody has.
absl::StatusOr<std::string> ParseUser(absl::string_view text);

// What people call `user`: "nobody", "DOMAIN\\joe"; "" if it has no name. Asks
// the system's user database, which may lie on another machine.
std::string UserName(const std::string& user);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_USER_H_
