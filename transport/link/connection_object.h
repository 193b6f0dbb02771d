// The object that a connection lies in, before it is one: made by one side,
// opened and read by the other.
//
//   // who makes it                        // who is told its name
//   ConnectionShape shape;                 auto object =
//   shape.client = CurrentProcess();           OpenConnectionObject(name, "");
//   auto object =                          ConnectionClaims claims;
//       CreateConnectionObject(name,       if (ReadClaims(*object, &claims) &&
//           shape, access);                    claims.SizesFit(*object)) ...
//
// Usually the client makes it and the server opens it. A client of another
// user, or of a server in the global scope, makes a knock instead: the first
// page alone, without rings. The server takes from it who knocks, as the system
// vouches for it, makes the connection itself, open to that user and nobody
// else, and answers in the knock which one it is
// (docs/decisions/0014-server-made-connections.md). The client keeps the knock
// while it uses the connection: that is how the server knows that it does.
//
// Thread rule: one thread at a time. Failures: the platform's; DATA_LOSS for
// what is no connection's object.

#ifndef SHMRPC_TRANSPORT_LINK_CONNECTION_OBJECT_H_
#define SHMRPC_TRANSPORT_LINK_CONNECTION_OBJECT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "transport/link/address.h"
#include "transport/memory/layout.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace link {

struct ConnectionObject {
  platform::ObjectName name;
  platform::NamedMapping mapping;
  platform::View view;           // all of it
  platform::Event client_event;  // the client sleeps on it

  memory::ConnectionPage* page() const {
    return reinterpret_cast<memory::ConnectionPage*>(view.data());
  }
};

struct ConnectionShape {
  platform::ProcessId client;
  // Of the server it is for.
  Nonce slots_nonce;
  uint64_t ring_size_bytes = memory::kRingSizeBytes;  // 0: a knock
  // Reserve the first page now, the rest (mapping.Reserve) before it is used.
  bool reserve_late = false;
};

// Complete with its header before anyone can find it, under a name that is
// random. `access`: of the object and its event.
absl::StatusOr<ConnectionObject> CreateConnectionObject(
    const platform::ObjectName& name, const ConnectionShape& shape,
    const platform::AccessPolicy& access);

// As a guest. `other_owner`: see platform::OpenOptions.
absl::StatusOr<ConnectionObject> OpenConnectionObject(
    const platform::ObjectName& name, const std::string& other_owner);

// A private copy of what the object says of itself.
struct ConnectionClaims {
  uint64_t magic = 0;
  uint32_t layout_version = 0;
  platform::ProcessId client;
  uint64_t ring_size_bytes = 0;
  uint64_t total_size_bytes = 0;
  int64_t client_clock_ns = 0;
  uint64_t slots_nonce_low = 0;
  bool answered = false;  // a server has

  bool IsKnock() const { return ring_size_bytes == 0; }
  // The sizes are possible ones, and the object has them.
  bool SizesFit(const ConnectionObject& object) const;
};

// False: the object was truncated.
bool ReadClaims(const ConnectionObject& object, ConnectionClaims* claims);

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_CONNECTION_OBJECT_H_
