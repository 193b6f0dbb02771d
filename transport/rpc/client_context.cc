#include "shmrpc/client_context.h"

#include "transport/rpc/context_access.h"
#include "transport/rpc/metadata_maps.h"

namespace shmrpc {

using internal::ServerContextAccess;

ClientContext::ClientContext() = default;

ClientContext::~ClientContext() {
  if (parent_ != nullptr) parent_->Remove(&cancel_);
  // A call that still goes on has lost its context: it ends.
  cancel_.Abandon();
}

std::unique_ptr<ClientContext> ClientContext::FromServerContext(
    const ServerContextBase& server_context, PropagationOptions options) {
  auto context = std::make_unique<ClientContext>();
  if (options.deadline_propagation()) {
    context->parent_deadline_ns_ =
        ServerContextAccess::deadline_ns(server_context);
  }
  if (options.cancellation_propagation()) {
    context->parent_ = ServerContextAccess::cancel_group(server_context);
    if (context->parent_ != nullptr) context->parent_->Add(&context->cancel_);
  }
  return context;
}

void ClientContext::AddMetadata(const std::string& key,
                                const std::string& value) {
  internal::AddPair(key, value, &metadata_, &metadata_complaint_);
}

void ClientContext::TryCancel() { cancel_.Request(); }

}  // namespace shmrpc
