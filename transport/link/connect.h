// The client's half of the handshake: from an address to a Connection.
//
// Reads the server's identity, creates the connection object under an
// unguessable name, announces it in an accept slot, and waits for the server's
// answer there.
//
// Failures (all say which server): those of ReadIdentity; UNAVAILABLE if the
// server refused or died meanwhile; DEADLINE_EXCEEDED if it did not answer;
// RESOURCE_EXHAUSTED if the system has no memory for the connection.

#ifndef SHMRPC_TRANSPORT_LINK_CONNECT_H_
#define SHMRPC_TRANSPORT_LINK_CONNECT_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "transport/link/address.h"
#include "transport/link/connection.h"
#include "transport/platform/event.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace link {

// A connection as the client holds it. Destroy the watch first.
struct ClientLink {
  std::unique_ptr<Connection> connection;
  platform::Event own_event;  // the server rings it
  std::unique_ptr<platform::DeathWatch> watch;
};

// `on_server_death` is called at most once, on the watching thread, when the
// server process ends; possibly before Connect returns.
absl::StatusOr<ClientLink> Connect(const Address& address, int64_t deadline_ns,
                                   std::function<void()> on_server_death);

// True if the server behind an established connection no longer holds its name
// although its process lives: it was replaced by exec, or shut down without a
// word. Some system calls; for a second's silence, not for every wait.
bool ServerGone(const Address& address, const platform::ProcessId& server);

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_CONNECT_H_
