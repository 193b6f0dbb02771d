// Who the peer of a call is, as properties, under gRPC's names.
//
//   for (const shmrpc::AuthProperty& p : *context->auth_context()) {
//     std::cout << p.first << " = " << p.second << "\n";
//   }
//
// Of a local peer:
//   transport_security_type  "shmrpc"
//   user        whom the peer runs as: Linux: the numeric user id, "1000";
//               Windows: the SID, "S-1-5-21-..."
//   user_name   what people call that user, "joe"; not there if it has no name.
//               Looked up when it is first asked for; where users are kept on
//               another machine, that takes time
//   pid         of the peer's process
//   start_time  of that process, with the pid unique on this machine: Linux: in
//               clock ticks (sysconf(_SC_CLK_TCK)) since boot, as proc(5) has
//               it; Windows: in 100 ns since 1601, UTC
// The identity is "user", which is what access is decided by. The system
// vouches for it (it owns the peer's shared object), and on Linux for the pid
// (it holds that object's lock). On Windows the pid is what the peer says of
// itself. Before the peer is known there are no properties.
//
// What is handed out as string_ref stays valid as long as the AuthContext.
//
// Thread rule: the const methods from any thread.

#ifndef SHMRPC_AUTH_CONTEXT_H_
#define SHMRPC_AUTH_CONTEXT_H_

#include <cstddef>
#include <iterator>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "shmrpc/string_ref.h"

namespace shmrpc {

// Name and value.
using AuthProperty = std::pair<string_ref, string_ref>;

// Over the properties in their order.
class AuthPropertyIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = const AuthProperty;
  using pointer = void;
  using reference = void;
  using difference_type = std::ptrdiff_t;

  // A list, whose elements stay where they are when one is added.
  using Properties = std::list<std::pair<std::string, std::string>>;
  explicit AuthPropertyIterator(Properties::const_iterator property)
      : property_(property) {}

  AuthPropertyIterator& operator++() {
    ++property_;
    return *this;
  }
  AuthPropertyIterator operator++(int) {
    return AuthPropertyIterator(property_++);
  }
  bool operator==(const AuthPropertyIterator& other) const {
    return property_ == other.property_;
  }
  bool operator!=(const AuthPropertyIterator& other) const {
    return property_ != other.property_;
  }
  AuthProperty operator*() const {
    return AuthProperty(property_->first, property_->second);
  }

 private:
  Properties::const_iterator property_;
};

class AuthContext {
 public:
  virtual ~AuthContext() = default;

  // True if the peer has an identity.
  virtual bool IsPeerAuthenticated() const = 0;
  // The values of the property that is the identity; none, if nothing is.
  virtual std::vector<string_ref> GetPeerIdentity() const = 0;
  virtual std::string GetPeerIdentityPropertyName() const = 0;

  // All values under one name, in their order.
  virtual std::vector<string_ref> FindPropertyValues(
      const std::string& name) const = 0;
  virtual AuthPropertyIterator begin() const = 0;
  virtual AuthPropertyIterator end() const = 0;

  virtual void AddProperty(const std::string& name,
                           const string_ref& value) = 0;
  // False, and nothing changes, if there is no property of that name.
  virtual bool SetPeerIdentityPropertyName(const std::string& name) = 0;
};

}  // namespace shmrpc

#endif  // SHMRPC_AUTH_CONTEXT_H_
