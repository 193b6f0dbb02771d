// What a handler knows of the call it serves, beside the messages, and what it
// says about it, beside the answer.
//
// Lives as long as the handler runs.
//
// Thread rule: IsCancelled and TryCancel from any thread; the rest from the
// handler's.

#ifndef SHMRPC_SERVER_CONTEXT_H_
#define SHMRPC_SERVER_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "shmrpc/compression.h"
#include "shmrpc/string_ref.h"
#include "shmrpc/time.h"

namespace shmrpc {

class AuthContext;
namespace internal {
class ServerContextAccess;
class ServerCallState;
}  // namespace internal

// What every kind of handler has.
class ServerContextBase {
 public:
  virtual ~ServerContextBase();
  ServerContextBase(const ServerContextBase&) = delete;
  ServerContextBase& operator=(const ServerContextBase&) = delete;

  // time_point::max() if the client set none.
  std::chrono::system_clock::time_point deadline() const {
    return internal::SystemTime(deadline_ns_);
  }
  gpr_timespec raw_deadline() const {
    return internal::RawDeadline(deadline_ns_);
  }

  // Sent before the first message, or with SendInitialMetadata, and with the
  // status. Keys and values as ClientContext::AddMetadata says; anything else
  // is logged and ends the call with INTERNAL. Initial metadata that is added
  // after it was sent is dropped.
  void AddInitialMetadata(const std::string& key, const std::string& value);
  void AddTrailingMetadata(const std::string& key, const std::string& value);

  // What the client added. Valid as long as the context.
  const std::multimap<string_ref, string_ref>& client_metadata() const;

  // True once nobody waits for the answer: the client cancelled, gave up at its
  // deadline or died, the handler called TryCancel, or the server is shutting
  // down past its limit.
  bool IsCancelled() const;

  // Ends the call now, with CANCELLED, "Cancelled on the server side", whatever
  // the handler returns later.
  void TryCancel() const;

  // "shm:greeter/1234": the server's name and the client's pid.
  std::string peer() const;

  // Who the client is.
  std::shared_ptr<const AuthContext> auth_context() const;

  // Kept for the program; a local call is never compressed.
  void set_compression_level(grpc_compression_level level) {
    compression_level_ = level;
    compression_level_set_ = true;
  }
  grpc_compression_level compression_level() const {
    return compression_level_;
  }
  bool compression_level_set() const { return compression_level_set_; }
  void set_compression_algorithm(grpc_compression_algorithm algorithm) {
    compression_algorithm_ = algorithm;
  }
  grpc_compression_algorithm compression_algorithm() const {
    return compression_algorithm_;
  }

 protected:
  ServerContextBase();

 private:
  friend class internal::ServerContextAccess;

  int64_t deadline_ns_ = internal::kInfiniteFutureNs;
  internal::ServerCallState* call_ = nullptr;
  std::string initial_metadata_;    // as it travels
  std::string trailing_metadata_;   // as it travels
  std::string metadata_complaint_;  // about the first illegal pair
  // Parsed when first asked for; points into the call's copy.
  mutable bool client_metadata_parsed_ = false;
  mutable std::multimap<string_ref, string_ref> client_metadata_;
  bool compression_level_set_ = false;
  grpc_compression_level compression_level_ = GRPC_COMPRESS_LEVEL_NONE;
  grpc_compression_algorithm compression_algorithm_ = GRPC_COMPRESS_NONE;
};

// A synchronous handler's.
class ServerContext : public ServerContextBase {
 public:
  ServerContext() = default;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVER_CONTEXT_H_
