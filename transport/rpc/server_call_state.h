// What a ServerContext asks of its call. Contexts know no more of the server,
// so that a client's half links without it.

#ifndef SHMRPC_TRANSPORT_RPC_SERVER_CALL_STATE_H_
#define SHMRPC_TRANSPORT_RPC_SERVER_CALL_STATE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "shmrpc/auth_context.h"
#include "shmrpc/cancel.h"

namespace shmrpc {
namespace internal {

class ServerCallState {
 public:
  // Any thread while the handler runs.
  virtual bool IsCancelled() const = 0;
  // Ends the call, if it has not ended, as one the server cancelled.
  virtual void TryCancel() = 0;

  virtual const std::string& peer() const = 0;
  virtual std::shared_ptr<const AuthContext> auth_context() const = 0;
  // As it travelled, and well-formed.
  virtual const std::string& client_metadata() const = 0;
  // The calls that are cancelled when this one is, or has ended.
  virtual std::shared_ptr<CancelGroup> cancel_group() = 0;

 protected:
  ~ServerCallState() = default;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_SERVER_CALL_STATE_H_
