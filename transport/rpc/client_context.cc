#include "shmrpc/client_context.h"

#include "transport/rpc/auth_context.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/metadata_maps.h"

namespace shmrpc {

ClientContext::ClientContext() = default;

ClientContext::~ClientContext() {
  if (parent_ != nullptr) parent_->Remove(&cancel_);
  // A call that still goes on has lost its context: it ends.
  cancel_.Abandon();
}

const ClientContext::Extras& ClientContext::extras() const {
  // Never destroyed: contexts may outlive static objects.
  static const Extras* const none = new Extras;
  return extras_ == nullptr ? *none : *extras_;
}

ClientContext::Extras& ClientContext::MutableExtras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
  return *extras_;
}

void ClientContext::AddMetadata(const std::string& key,
                                const std::string& value) {
  Extras& extras = MutableExtras();
  internal::AddPair(key, value, &extras.metadata, &extras.metadata_complaint);
}

const std::multimap<string_ref, string_ref>&
ClientContext::GetServerInitialMetadata() const {
  return extras().initial_metadata;
}

const std::multimap<string_ref, string_ref>&
ClientContext::GetServerTrailingMetadata() const {
  return extras().trailing_metadata;
}

std::shared_ptr<const AuthContext> ClientContext::auth_context() const {
  return internal::LocalAuthContext(
      {peer_pid_, peer_start_time_, {peer_user_, peer_user_bytes_}});
}

void ClientContext::set_authority(const std::string& authority) {
  MutableExtras().authority = authority;
}

const std::string& ClientContext::authority() const {
  return extras().authority;
}

void ClientContext::set_credentials(
    const std::shared_ptr<CallCredentials>& credentials) {
  MutableExtras().credentials = credentials;
}

std::shared_ptr<CallCredentials> ClientContext::credentials() {
  return extras().credentials;
}

std::string ClientContext::debug_error_string() const {
  return extras().debug_error;
}

void ClientContext::TryCancel() { cancel_.Request(); }

}  // namespace shmrpc
