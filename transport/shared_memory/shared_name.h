// Names as users write them ("Local\\foo"), and the platform's errors in their
// words. Internal to transport/shared_memory.

#ifndef SHMRPC_TRANSPORT_SHARED_MEMORY_SHARED_NAME_H_
#define SHMRPC_TRANSPORT_SHARED_MEMORY_SHARED_NAME_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "transport/platform/object_name.h"

namespace shmrpc {

struct SharedName {
  platform::ObjectName object;
  std::string display;  // Local\foo, Global\foo, or the custom name
};

// INVALID_ARGUMENT: `what` ("create shared memory"), the name, what is wrong
// with it.
absl::StatusOr<SharedName> ParseName(absl::string_view what,
                                     absl::string_view name);

// `kind` ("shared memory") and the name in quotes, printable whatever is in it.
std::string Describe(absl::string_view kind, absl::string_view display);

// A failure of transport/platform on `name`: its text speaks of mappings and
// servers. `advice` (may be empty) is added to what ALREADY_EXISTS says. Other
// texts are returned as they are.
absl::Status Explain(const absl::Status& status, absl::string_view kind,
                     const SharedName& name, absl::string_view advice = "");

// FAILED_PRECONDITION: the object was never opened, or was moved from.
absl::Status EmptyObject(absl::string_view what);

}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_SHARED_MEMORY_SHARED_NAME_H_
