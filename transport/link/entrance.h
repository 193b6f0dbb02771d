// What a client needs of a server's lobby to knock: who serves the name, the
// accept slots mapped, the event that wakes the acceptor.
//
//   auto entrance = Entrance::Find(address);
//   ... (*entrance)->slots() ... (*entrance)->accept_event()->Signal();
//
// The objects of the last few servers are kept open, not mapped, so that the
// next connection of this process to one of them costs three system calls
// instead of thirty: is the object that was read then still the one under the
// name, and does its server hold it? (Not on Windows, where keeping it would
// hold the name of a server that has ended: docs/decisions/0011.)
//
// Thread rule: any. Ownership: shared with its connection, which rings a word
// in the slots page. A forked child starts with none. Failures: those of
// ReadIdentity; NOT_FOUND, ABORTED about the slots.

#ifndef SHMRPC_TRANSPORT_LINK_ENTRANCE_H_
#define SHMRPC_TRANSPORT_LINK_ENTRANCE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "transport/link/address.h"
#include "transport/link/lobby.h"
#include "transport/memory/layout.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace link {

class Entrance {
 public:
  using Ptr = std::shared_ptr<Entrance>;

  // `server_user`: see ReadIdentity.
  static absl::StatusOr<Ptr> Find(const Address& address,
                                  const std::string& server_user = "");

  const ServerIdentity& server() const { return server_; }
  // Touch it guarded by its view.
  memory::LobbySlots* slots() const {
    return reinterpret_cast<memory::LobbySlots*>(slots_view_.data());
  }
  const platform::View& slots_view() const { return slots_view_; }
  platform::Event* accept_event() { return &accept_event_; }

  // After a fault in the slots. True: the server has made them good, and they
  // can be touched again. Any thread.
  bool Restore() const;

 private:
  Entrance() = default;

  ServerIdentity server_;
  // Linux: the slots as a guest, for Restore.
  std::shared_ptr<const platform::NamedMapping> slots_mapping_;
  platform::View slots_view_;
  platform::Event accept_event_;
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_ENTRANCE_H_
