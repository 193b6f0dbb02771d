#include "shmrpc/server_context.h"

#include "transport/log/log.h"
#include "transport/rpc/auth_context.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/metadata_maps.h"
#include "transport/rpc/server_call_state.h"

namespace shmrpc {
namespace {

// The handler learns of its mistake from the log, the client from the status.
void Add(const std::string& key, const std::string& value, std::string* bytes,
         std::string* complaint) {
  const bool first = complaint->empty();
  internal::AddPair(key, value, bytes, complaint);
  if (first && !complaint->empty()) {
    SHMRPC_LOG(kError) << "a handler adds metadata: " << *complaint;
  }
}

}  // namespace

ServerContextBase::ServerContextBase() = default;

ServerContextBase::~ServerContextBase() = default;

void ServerContextBase::AddInitialMetadata(const std::string& key,
                                           const std::string& value) {
  Add(key, value, &initial_metadata_, &metadata_complaint_);
}

void ServerContextBase::AddTrailingMetadata(const std::string& key,
                                            const std::string& value) {
  Add(key, value, &trailing_metadata_, &metadata_complaint_);
}

const std::multimap<string_ref, string_ref>&
ServerContextBase::client_metadata() const {
  if (!client_metadata_parsed_ && call_ != nullptr) {
    client_metadata_parsed_ = true;
    internal::ToMap(call_->client_metadata(), &client_metadata_);
  }
  return client_metadata_;
}

bool ServerContextBase::IsCancelled() const {
  return call_ != nullptr && call_->IsCancelled();
}

void ServerContextBase::TryCancel() const {
  if (call_ != nullptr) call_->TryCancel();
}

std::string ServerContextBase::peer() const {
  return call_ == nullptr ? "" : call_->peer();
}

std::shared_ptr<const AuthContext> ServerContextBase::auth_context() const {
  return call_ == nullptr ? internal::LocalAuthContext({})
                          : call_->auth_context();
}

namespace internal {

std::shared_ptr<CancelGroup> ServerContextAccess::cancel_group(
    const ServerContextBase& context) {
  return context.call_ == nullptr ? nullptr : context.call_->cancel_group();
}

}  // namespace internal
}  // namespace shmrpc
