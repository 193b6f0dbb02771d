// What the runtime, but nobody else, may do with contexts.

#ifndef SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_
#define SHMRPC_TRANSPORT_RPC_CONTEXT_ACCESS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "shmrpc/cancel.h"
#include "shmrpc/client_context.h"
#include "shmrpc/server_context.h"
#include "shmrpc/status.h"
#include "shmrpc/string_ref.h"
#include "transport/platform/process.h"
#include "transport/rpc/metadata_maps.h"

namespace shmrpc {

struct ClientContext::Extras {
  std::string metadata;            // as it travels
  std::string metadata_complaint;  // about the first illegal pair

  // The two maps point into the two strings.
  std::string initial_bytes;
  std::string trailing_bytes;
  std::multimap<string_ref, string_ref> initial_metadata;
  std::multimap<string_ref, string_ref> trailing_metadata;
  std::string debug_error;

  std::string authority;
  std::shared_ptr<CallCredentials> credentials;
};

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
  static absl::string_view metadata(const ClientContext& context) {
    if (context.extras_ == nullptr) return "";
    return context.extras_->metadata;
  }
  // About the first illegal pair; "": none.
  static absl::string_view metadata_complaint(const ClientContext& context) {
    if (context.extras_ == nullptr) return "";
    return context.extras_->metadata_complaint;
  }
  static CancelSlot* slot(ClientContext* context) { return &context->cancel_; }

  static void set_peer(ClientContext* context, absl::string_view peer,
                       const platform::ProcessId& process,
                       absl::string_view user) {
    context->peer_bytes_ = static_cast<uint32_t>(
        peer.copy(context->peer_, ClientContext::kMaxPeerBytes));
    context->peer_pid_ = process.pid;
    context->peer_start_time_ = process.start_time;
    context->peer_user_bytes_ = static_cast<uint32_t>(
        user.copy(context->peer_user_, ClientContext::kMaxUserBytes));
  }
  // Both as they travelled; what cannot be parsed is as if it were not there.
  static void SetInitial(ClientContext* context, std::string&& bytes) {
    if (bytes.empty()) return;
    ClientContext::Extras& extras = context->MutableExtras();
    extras.initial_bytes = std::move(bytes);
    ToMap(extras.initial_bytes, &extras.initial_metadata);
  }
  static void SetTrailing(ClientContext* context, std::string&& bytes) {
    if (bytes.empty()) return;
    ClientContext::Extras& extras = context->MutableExtras();
    extras.trailing_bytes = std::move(bytes);
    ToMap(extras.trailing_bytes, &extras.trailing_metadata);
  }
  static void SetOutcome(ClientContext* context, const Status& status) {
    if (!status.ok()) Describe(context, status);
  }

 private:
  static void Describe(ClientContext* context, const Status& status) {
    std::string& error = context->MutableExtras().debug_error;
    error = context->peer();
    error += error.empty() ? "" : ": ";
    error += StatusCodeName(status.error_code());
    error += ": ";
    error += status.error_message();
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
