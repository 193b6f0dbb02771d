// One small number per method name in this process, so that a call names its
// method by a number and a connection remembers in a vector which ones the
// server has been told.
//
// Thread rule: any. Numbers are never given back; there are as many as methods
// in the program.

#ifndef SHMRPC_TRANSPORT_RPC_METHOD_NAMES_H_
#define SHMRPC_TRANSPORT_RPC_METHOD_NAMES_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace shmrpc {
namespace internal {

// Most numbers a server accepts of one client.
constexpr uint32_t kMaxMethodIds = 64 * 1024;

uint32_t MethodId(absl::string_view name);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_METHOD_NAMES_H_
