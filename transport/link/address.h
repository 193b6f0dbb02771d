// Targets and the objects they name.
//
//   "shm:greeter"         a server of this session
//   "shm:global/greeter"  a server for all sessions of the machine
//
// The name is 1 to 64 bytes of [A-Za-z0-9._-], not starting with a dot.

#ifndef SHMRPC_TRANSPORT_LINK_ADDRESS_H_
#define SHMRPC_TRANSPORT_LINK_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "transport/platform/object_name.h"

namespace shmrpc {
namespace link {

// 128 unguessable bits that name an object.
struct Nonce {
  uint64_t high = 0;
  uint64_t low = 0;

  static Nonce Random();
  std::string ToString() const;  // 32 hexadecimal digits
};

struct Address {
  platform::Scope scope = platform::Scope::kLocal;
  std::string name;

  std::string ToString() const;  // "shm:greeter"
  platform::ObjectName IdentityName() const;

  friend bool operator==(const Address& a, const Address& b) {
    return a.scope == b.scope && a.name == b.name;
  }
};

// INVALID_ARGUMENT saying what is wrong with the target and what a right one
// looks like.
absl::StatusOr<Address> ParseAddress(absl::string_view target);

platform::ObjectName SlotsName(platform::Scope scope, const Nonce& nonce);
platform::ObjectName ConnectionName(platform::Scope scope, const Nonce& nonce);

// What the names of all objects of this library start with.
constexpr char kObjectPrefix[] = "shmrpc.";
// Those of connections, and of what belongs to them.
constexpr char kConnectionPrefix[] = "shmrpc.conn.";

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_ADDRESS_H_
