#include "transport/rpc/method_names.h"

#include <string>

#include "absl/base/attributes.h"
#include "absl/base/const_init.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/generated.h"

namespace shmrpc {
namespace internal {

uint32_t MethodId(absl::string_view name) {
  ABSL_CONST_INIT static absl::Mutex mutex(absl::kConstInit);
  // Never destroyed: stubs may be made by static initialisers.
  static auto* const ids = new absl::flat_hash_map<std::string, uint32_t>;
  absl::MutexLock lock(&mutex);
  return ids->try_emplace(name, static_cast<uint32_t>(ids->size()))
      .first->second;
}

RpcMethod::RpcMethod(const char* name) : name_(name), id_(MethodId(name)) {}

}  // namespace internal
}  // namespace shmrpc
