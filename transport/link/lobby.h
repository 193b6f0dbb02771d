// A server's public objects: one identity per name it serves, and one page of
// accept slots with the words that wake it.
//
//   auto lobby = Lobby::Create({*ParseAddress("shm:greeter")}, {});
//   (*lobby)->accept_event() ...
//
// The server believes only what it keeps privately; the identity is for clients
// to read, and the slots are writable by any client, so nothing that matters to
// an established connection lies there but the words that wake. Any process of
// the user can truncate both; MakeGood, which lobby_keeper.h calls, undoes it.
//
// Thread rule: const members from any thread. Ownership: the names are free
// again when it is destroyed, or when the process ends however it ends.
// Failures: ALREADY_EXISTS naming the living server that holds a name;
// PERMISSION_DENIED, RESOURCE_EXHAUSTED from the system.

#ifndef SHMRPC_TRANSPORT_LINK_LOBBY_H_
#define SHMRPC_TRANSPORT_LINK_LOBBY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "transport/link/address.h"
#include "transport/memory/layout.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace link {

class Lobby {
 public:
  static constexpr int64_t kOpenLookNs = 1000 * 1000 * 1000;

  static absl::StatusOr<std::unique_ptr<Lobby>> Create(
      const std::vector<Address>& addresses,
      const platform::AccessPolicy& access);

  const std::vector<Address>& addresses() const { return addresses_; }
  platform::Scope slots_scope() const { return slots_scope_; }
  const Nonce& slots_nonce() const { return nonce_; }
  memory::LobbySlots* slots() const {
    return reinterpret_cast<memory::LobbySlots*>(slots_view_.data());
  }
  const platform::View& slots_view() const { return slots_view_; }
  // Others than this process's user may be let in.
  bool open_to_others() const {
    return !access_.sddl.empty() || access_.mode.has_value() ||
           access_.group_id.has_value();
  }

  // Wakes the thread that accepts; the threads that poll connections. All who
  // may connect can clear the words, and sleep on them. So wait for a hint; and
  // where that is not this user alone, look each `look_ns`, though nothing
  // comes.
  platform::Event* accept_event() { return &accept_event_; }
  platform::Event* poller_event() { return &poller_event_; }
  int64_t look_ns() const {
    return open_to_others() ? kOpenLookNs : platform::kNever;
  }

  // The names' objects and the slots, to watch them.
  std::vector<const platform::NamedMapping*> objects() const;

  // Makes whole again what another process has truncated, under the same names
  // and without letting go of them; true: something was. One thread at a time;
  // others may touch the slots meanwhile, and must look at them again
  // afterwards, as must who sleeps on the events. RESOURCE_EXHAUSTED: there is
  // no memory for it now.
  absl::StatusOr<bool> MakeGood();

 private:
  Lobby() = default;
  absl::Status CreateSlots();
  absl::Status CreateIdentity(const Address& address);
  void FillIdentity(const Address& address, memory::LobbyIdentity* identity);
  absl::StatusOr<bool> MakeSlotsGood();
  absl::StatusOr<bool> MakeIdentityGood(const Address& address,
                                        const platform::NamedMapping& mapping);

  std::vector<Address> addresses_;
  platform::AccessPolicy access_;
  platform::Scope slots_scope_ = platform::Scope::kLocal;
  Nonce nonce_;
  platform::NamedMapping slots_mapping_;
  platform::View slots_view_;
  platform::Event accept_event_;
  platform::Event poller_event_;
  std::vector<platform::NamedMapping> identities_;  // as addresses_
};

// A private copy of what a server says of itself.
struct ServerIdentity {
  platform::ProcessId process;
  Nonce slots_nonce;
  platform::Scope slots_scope = platform::Scope::kLocal;
  std::string version;
  // Whom the object belongs to, as the system says (platform/user.h).
  std::string user;
  bool same_user = true;  // it is this process's user

  // Clients of this process knock, and the server makes the connection.
  bool MakesConnections() const {
    return !same_user || slots_scope == platform::Scope::kGlobal;
  }
};

// Reads and checks the identity behind `address`.
//   NOT_FOUND            nobody serves that name (any more)
//   ABORTED              its server is just starting, or about to make good
//                        what somebody truncated: soon to be read again
//   FAILED_PRECONDITION  another layout version, or another pid namespace
//   PERMISSION_DENIED    it belongs to another user than this process's, root
//                        and `server_user` ("*": anybody), or does not admit us
//   DATA_LOSS            what is there makes no sense
// `*read_from`, if not null: the object, opened as a guest, for a later look
// whether it still stands.
absl::StatusOr<ServerIdentity> ReadIdentity(
    const Address& address, const std::string& server_user = "",
    platform::NamedMapping* read_from = nullptr);

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_LOBBY_H_
