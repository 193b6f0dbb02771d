#include "transport/rpc/auth_context.h"

namespace shmrpc {
namespace internal {
namespace {

class LocalPeer final : public AuthContext {
 public:
  bool IsPeerAuthenticated() const override { return !identity_.empty(); }

  std::vector<string_ref> GetPeerIdentity() const override {
    return FindPropertyValues(identity_);
  }

  std::string GetPeerIdentityPropertyName() const override { return identity_; }

  std::vector<string_ref> FindPropertyValues(
      const std::string& name) const override {
    std::vector<string_ref> values;
    for (const auto& property : properties_) {
      if (property.first == name) values.emplace_back(property.second);
    }
    return values;
  }

  AuthPropertyIterator begin() const override {
    return AuthPropertyIterator(properties_.begin());
  }

  AuthPropertyIterator end() const override {
    return AuthPropertyIterator(properties_.end());
  }

  void AddProperty(const std::string& name, const string_ref& value) override {
    properties_.emplace_back(name, std::string(value.data(), value.size()));
  }

  bool SetPeerIdentityPropertyName(const std::string& name) override {
    if (FindPropertyValues(name).empty()) return false;
    identity_ = name;
    return true;
  }

 private:
  AuthPropertyIterator::Properties properties_;
  std::string identity_;  // the name of a property; "": of none
};

}  // namespace

std::shared_ptr<AuthContext> MakeAuthContext(uint32_t peer_pid) {
  auto context = std::make_shared<LocalPeer>();
  if (peer_pid == 0) return context;
  context->AddProperty("transport_security_type", "shmrpc");
  context->AddProperty("pid", std::to_string(peer_pid));
  context->SetPeerIdentityPropertyName("pid");
  return context;
}

std::shared_ptr<const AuthContext> LocalAuthContext(uint32_t peer_pid) {
  return MakeAuthContext(peer_pid);
}

}  // namespace internal
}  // namespace shmrpc
