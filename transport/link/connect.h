// The client's half of the handshake: from an address to a Connection.
//
// Reads the server's identity, creates the connection object under an
// unguessable name, announces it in an accept slot, and waits for the server's
// answer there. Between two users, and in the global scope, what it creates is
// a knock, and the server makes the connection object (connection_object.h).
//
// Failures (all say which server): those of ReadIdentity, ABORTED only after a
// second in which the server did not make its lobby good; UNAVAILABLE if the
// server refused or died meanwhile; DEADLINE_EXCEEDED if it did not answer;
// CANCELLED if a ConnectCancel ended it; RESOURCE_EXHAUSTED if the system has
// no memory for the connection, or if the server has as many connections as it
// allows.

#ifndef SHMRPC_TRANSPORT_LINK_CONNECT_H_
#define SHMRPC_TRANSPORT_LINK_CONNECT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

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

// Ends one Connect. Any thread, before or while it runs; later it changes
// nothing.
class ConnectCancel {
 public:
  void Cancel() {
    // Relaxed: Interrupt and the wait it ends order it.
    cancelled_.store(true, std::memory_order_relaxed);
    waiter_.Interrupt();
  }

  // For Connect: the place where it sleeps.
  platform::Waiter* waiter() { return &waiter_; }
  bool cancelled() const {
    // Relaxed: see Cancel.
    return cancelled_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> cancelled_{false};
  platform::Waiter waiter_;
};

struct ConnectOptions {
  int64_t deadline_ns = platform::kNever;
  // If not null: called at most once, on the watching thread, when the server
  // process ends; possibly before Connect returns.
  std::function<void()> on_server_death;
  // If not null: ends this Connect, and serves no other.
  std::shared_ptr<ConnectCancel> cancel;
  // What may be held for the server; null: no limit.
  std::shared_ptr<memory::MemoryAccount> memory_account;
  // Whose server is accepted besides this process's user's and root's
  // (ReadIdentity).
  std::string server_user;
};

absl::StatusOr<ClientLink> Connect(const Address& address,
                                   ConnectOptions options = {});

// True if the server behind an established connection no longer holds its name
// although its process lives: it was replaced by exec, or shut down without a
// word. Some system calls; for a second's silence, not for every wait.
bool ServerGone(const Address& address, const platform::ProcessId& server);

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_CONNECT_H_
