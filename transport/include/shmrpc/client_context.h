// What a client says about one call, beside its messages, and what it learns
// about it, beside the answer.
//
//   shmrpc::ClientContext context;
//   context.set_deadline(std::chrono::system_clock::now() + 50ms);
//   context.AddMetadata("x-user", "ada");
//   shmrpc::Status status = stub->SayHello(&context, request, &response);
//
// One context serves one call; a second call with it fails with
// INVALID_ARGUMENT. It must outlive the call; destroying it cancels one that is
// still going on.
//
// Thread rule: TryCancel from any thread while the context lives; the rest as
// the call is: set up before, read after.

#ifndef SHMRPC_CLIENT_CONTEXT_H_
#define SHMRPC_CLIENT_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "shmrpc/cancel.h"
#include "shmrpc/compression.h"
#include "shmrpc/string_ref.h"
#include "shmrpc/time.h"

namespace shmrpc {

class AuthContext;
class CallCredentials;
class ServerContextBase;
namespace internal {
class ClientContextAccess;
}  // namespace internal

// What a call made on behalf of another one takes over from it. Default: all.
class PropagationOptions {
 public:
  PropagationOptions& enable_deadline_propagation() {
    return Set(&deadline_, true);
  }
  PropagationOptions& disable_deadline_propagation() {
    return Set(&deadline_, false);
  }
  PropagationOptions& enable_cancellation_propagation() {
    return Set(&cancellation_, true);
  }
  PropagationOptions& disable_cancellation_propagation() {
    return Set(&cancellation_, false);
  }
  // Census is not part of shmrpc: these four change nothing.
  PropagationOptions& enable_census_stats_propagation() { return *this; }
  PropagationOptions& disable_census_stats_propagation() { return *this; }
  PropagationOptions& enable_census_tracing_propagation() { return *this; }
  PropagationOptions& disable_census_tracing_propagation() { return *this; }

  bool deadline_propagation() const { return deadline_; }
  bool cancellation_propagation() const { return cancellation_; }

 private:
  PropagationOptions& Set(bool* option, bool value) {
    *option = value;
    return *this;
  }
  bool deadline_ = true;
  bool cancellation_ = true;
};

class ClientContext {
 public:
  ClientContext();
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // A context for a call that a handler makes to serve its own: it ends with
  // that one's deadline and is cancelled with it, as `options` say. Within the
  // handler; the new context may outlive it.
  static std::unique_ptr<ClientContext> FromServerContext(
      const ServerContextBase& server_context,
      PropagationOptions options = PropagationOptions());

  // Sent before the first message. Keys are lower-case letters, digits, '-',
  // '_' and '.'; one that ends in "-bin" takes any bytes as its value, others
  // take printable ASCII and spaces. A call with anything else fails with
  // INVALID_ARGUMENT, which says which key it was. A key may come several
  // times.
  void AddMetadata(const std::string& key, const std::string& value);

  // What the server sent before its first message: known once the call has
  // returned, or WaitForInitialMetadata, or the first Read.
  const std::multimap<string_ref, string_ref>& GetServerInitialMetadata() const;
  // What the server sent with its status: known once the status is.
  const std::multimap<string_ref, string_ref>& GetServerTrailingMetadata()
      const;

  // The call ends with DEADLINE_EXCEEDED, "Deadline Exceeded", if its status
  // has not arrived by then. T: a time_point of system_clock or steady_clock,
  // or a gpr_timespec. The distance is measured when this is called; later
  // steps of the system clock do not move it. Default: no deadline.
  template <typename T>
  void set_deadline(const T& deadline) {
    deadline_ns_ = internal::DeadlineNs(deadline);
  }
  // time_point::max() if none is set.
  std::chrono::system_clock::time_point deadline() const {
    return internal::SystemTime(deadline_ns_);
  }
  gpr_timespec raw_deadline() const {
    return internal::RawDeadline(deadline_ns_);
  }

  // A call that finds no server waits for one until its deadline, instead of
  // failing with UNAVAILABLE. Default: false.
  void set_wait_for_ready(bool wait_for_ready) {
    wait_for_ready_ = wait_for_ready;
  }

  // The open frame of a stream waits for the first Write or WritesDone and
  // travels with it. Default: false.
  void set_initial_metadata_corked(bool corked) { corked_ = corked; }

  // Ends the call, or the one that will be made, with CANCELLED; the server
  // sees the cancel. One that has its status already keeps it.
  void TryCancel();

  // "shm:greeter/1234": the server's name and pid, once the call was sent; ""
  // before.
  std::string peer() const { return std::string(peer_, peer_bytes_); }

  // Who the server is. Empty properties before the call was sent.
  std::shared_ptr<const AuthContext> auth_context() const;

  // Kept for the program; a local call sends neither.
  void set_authority(const std::string& authority);
  const std::string& authority() const;
  void set_credentials(const std::shared_ptr<CallCredentials>& credentials);
  std::shared_ptr<CallCredentials> credentials();
  void set_compression_algorithm(grpc_compression_algorithm algorithm) {
    compression_algorithm_ = algorithm;
  }
  grpc_compression_algorithm compression_algorithm() const {
    return compression_algorithm_;
  }

  // More about how the call ended, for people; "" if it ended well.
  std::string debug_error_string() const;

 private:
  friend class internal::ClientContextAccess;

  // What most calls never have; such a context is made and destroyed in no
  // time.
  struct Extras;
  // The longest is "shm:global/", 64 of the name, "/" and the pid.
  static constexpr uint32_t kMaxPeerBytes = 96;
  // The longest SID has 15 parts of 32 bits.
  static constexpr uint32_t kMaxUserBytes = 192;

  // What it has, or empty ones.
  const Extras& extras() const;
  // Makes them first, if there are none.
  Extras& MutableExtras();

  int64_t deadline_ns_ = internal::kInfiniteFutureNs;
  int64_t parent_deadline_ns_ = internal::kInfiniteFutureNs;
  bool used_ = false;
  bool wait_for_ready_ = false;
  bool corked_ = false;
  grpc_compression_algorithm compression_algorithm_ = GRPC_COMPRESS_NONE;
  uint32_t peer_pid_ = 0;
  uint32_t peer_bytes_ = 0;
  uint32_t peer_user_bytes_ = 0;
  uint64_t peer_start_time_ = 0;
  internal::CancelSlot cancel_;
  std::shared_ptr<internal::CancelGroup> parent_;  // null: none
  std::unique_ptr<Extras> extras_;                 // null: none
  char peer_[kMaxPeerBytes];                       // the first `peer_bytes_`
  char peer_user_[kMaxUserBytes];  // the first `peer_user_bytes_`
};

}  // namespace shmrpc

#endif  // SHMRPC_CLIENT_CONTEXT_H_
