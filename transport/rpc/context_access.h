// What the runtime, but nobody else, may do with contexts.

#ifndef SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_
#define SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "shmrpc/cancel.h"
#include "shmrpc/client_context.h"
#include "shmrpc/server_context.h"
#include "shmrpc/status.h"
#include "transport/rpc/metadata_maps.h"

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
  // Its own, or that of the call it was made for.
  static int64_t deadline_ns(const ClientContext& context) {
    return std::min(context.deadline_ns_, context.parent_deadline_ns_);
  }
  static bool wait_for_ready(const ClientContext& context) {
    return context.wait_for_ready_;
  }
  static bool corked(const ClientContext& context) { return context.corked_; }
  // As it travels.
  static const std::string& metadata(const ClientContext& context) {
    return context.metadata_;
  }
  // About the first illegal pair; "": none.
  static const std::string& metadata_complaint(const ClientContext& context) {
    return context.metadata_complaint_;
  }
  static CancelSlot* slot(ClientContext* context) { return &context->cancel_; }

  static void set_peer(ClientContext* context,
                       std::shared_ptr<const std::string> peer, uint32_t pid) {
    context->peer_ = std::move(peer);
    context->peer_pid_ = pid;
  }
  // Both as they travelled; what cannot be parsed is as if it were not there.
  static void SetInitial(ClientContext* context, std::string bytes) {
    if (bytes.empty()) return;
    context->initial_bytes_ = std::move(bytes);
    ToMap(context->initial_bytes_, &context->initial_metadata_);
  }
  static void SetTrailing(ClientContext* context, std::string bytes) {
    if (bytes.empty()) return;
    context->trailing_bytes_ = std::move(bytes);
    ToMap(context->trailing_bytes_, &context->trailing_metadata_);
  }
  static void SetOutcome(ClientContext* context, const Status& status) {
    if (status.ok()) return;
    context->debug_error_ = context->peer();
    context->debug_error_ += context->debug_error_.empty() ? "" : ": ";
    context->debug_error_ += StatusCodeName(status.error_code());
    context->debug_error_ += ": ";
    context->debug_error_ += status.error_message();
  }
};

class ServerContextAccess {
 public:
  static void Bind(ServerContextBase* context, ServerCallState* call,
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
  // As it will travel.
  static const std::string& initial_metadata(const ServerContextBase& context) {
    return context.initial_metadata_;
  }
  // What the handler has left, once it has returned. `*complaint`: about the
  // first illegal pair of both; all three stay as they are where there is none.
  static void TakeMetadata(ServerContextBase* context, std::string* initial,
                           std::string* trailing, std::string* complaint) {
    Take(&context->initial_metadata_, initial);
    Take(&context->trailing_metadata_, trailing);
    Take(&context->metadata_complaint_, complaint);
  }

 private:
  static void Take(std::string* from, std::string* to) {
    if (!from->empty()) *to = std::move(*from);
  }
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_
