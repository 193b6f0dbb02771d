#include "shmrpc/client_context.h"

#include "transport/rpc/auth_context.h"
#include "transport/rpc/metadata_maps.h"

namespace shmrpc {

ClientContext::ClientContext() = default;

ClientContext::~ClientContext() {
  if (parent_ != nullptr) parent_->Remove(&cancel_);
  // A call that still goes on has lost its context: it ends.
  cancel_.Abandon();
}

void ClientContext::AddMetadata(const std::string& key,
                                const std::string& value) {
  internal::AddPair(key, value, &metadata_, &metadata_complaint_);
}

std::shared_ptr<const AuthContext> ClientContext::auth_context() const {
  return internal::LocalAuthContext(peer_pid_);
}

void ClientContext::TryCancel() { cancel_.Request(); }

}  // namespace shmrpc
