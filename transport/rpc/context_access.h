// What the runtime, but nobody else, may do with contexts.

#ifndef SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_
#define SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "shmrpc/cancel.h"
#include "shmrpc/client_context.h"
#include "shmrpc/server_context.h"

namespace shmrpc {
namespace internal {

class ClientContextAccess {
 public:
  // False the second time: a context serves one call.
  static bool TakeForCall(ClientContext* context) {
    const bool first = !context->used_;
    context->used_ = true;
    return first;
  }
  static int64_t deadline_ns(const ClientContext& context) {
    return context.deadline_ns_;
  }
  static void set_peer(ClientContext* context,
                       std::shared_ptr<const std::string> peer) {
    context->peer_ = std::move(peer);
  }
};

class ServerContextAccess {
 public:
  static void Bind(ServerContext* context, ServerCallState* call,
                   int64_t deadline_ns) {
    context->call_ = call;
    context->deadline_ns_ = deadline_ns;
  }
  static int64_t deadline_ns(const ServerContextBase& context) {
    return context.deadline_ns_;
  }
  // The calls that end with this one; null: none can. With the server's call.
  static std::shared_ptr<CancelGroup> cancel_group(
      const ServerContextBase& context);
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_
