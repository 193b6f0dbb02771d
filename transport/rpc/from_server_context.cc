// The one function of a client's context that needs the server: apart, so that
// a program without a server does not link one.

#include <memory>

#include "shmrpc/client_context.h"
#include "transport/rpc/context_access.h"

namespace shmrpc {

using internal::ServerContextAccess;

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

}  // namespace shmrpc
