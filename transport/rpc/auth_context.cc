#include "transport/rpc/auth_context.h"

#include "transport/platform/user.h"

namespace shmrpc {
namespace internal {
namespace {

class LocalAuthContextImpl final : public AuthContext {
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

std::shared_ptr<AuthContext> MakeAuthContext(const LocalPeer& peer) {
  auto context = std::make_shared<LocalAuthContextImpl>();
  if (peer.pid == 0) return context;
  const std::string user(peer.user);
  context->AddProperty("transport_security_type", "shmrpc");
  context->AddProperty("user", user);
  const std::string name = platform::UserName(user);
  if (!name.empty()) context->AddProperty("user_name", name);
  context->AddProperty("pid", std::to_string(peer.pid));
  context->AddProperty("start_time", std::to_string(peer.start_time));
  context->SetPeerIdentityPropertyName("user");
  return context;
}

std::shared_ptr<const AuthContext> LocalAuthContext(const LocalPeer& peer) {
  return MakeAuthContext(peer);
}

}  // namespace internal
}  // namespace shmrpc
