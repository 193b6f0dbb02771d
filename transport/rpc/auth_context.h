// What the runtime says about a peer (shmrpc/auth_context.h).

#ifndef SHMRPC_TRANSPORT_RPC_AUTH_CONTEXT_H_
#define SHMRPC_TRANSPORT_RPC_AUTH_CONTEXT_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "shmrpc/auth_context.h"

namespace shmrpc {
namespace internal {

// A process of this machine, and the user it runs as (platform/user.h).
struct LocalPeer {
  uint32_t pid = 0;  // 0: not known yet
  uint64_t start_time = 0;
  absl::string_view user;
};

// The properties that the public header names; none of a peer that is not
// known. Asks the system for the user's name: nothing for each call.
std::shared_ptr<const AuthContext> LocalAuthContext(const LocalPeer& peer);

// The same, for who adds properties of his own.
std::shared_ptr<AuthContext> MakeAuthContext(const LocalPeer& peer);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_AUTH_CONTEXT_H_
