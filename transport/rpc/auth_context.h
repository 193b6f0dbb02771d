// What the runtime says about a peer (shmrpc/auth_context.h).

#ifndef SHMRPC_TRANSPORT_RPC_AUTH_CONTEXT_H_
#define SHMRPC_TRANSPORT_RPC_AUTH_CONTEXT_H_

#include <cstdint>
#include <memory>

#include "shmrpc/auth_context.h"

namespace shmrpc {
namespace internal {

// A process of this machine: "transport_security_type" and "pid", its identity.
// 0: not known yet, no properties.
std::shared_ptr<const AuthContext> LocalAuthContext(uint32_t peer_pid);

// The same, for who adds properties of his own.
std::shared_ptr<AuthContext> MakeAuthContext(uint32_t peer_pid);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_AUTH_CONTEXT_H_
