// The parts of object_name.h that differ between systems. Internal to
// transport/platform.

#ifndef SHMRPC_TRANSPORT_PLATFORM_OBJECT_NAME_INTERNAL_H_
#define SHMRPC_TRANSPORT_PLATFORM_OBJECT_NAME_INTERNAL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shmrpc {
namespace platform {

// What keeps global names apart from local ones in the one directory of Linux.
// Refused in local names on every system: a program must not work on one alone.
constexpr absl::string_view kGlobalPrefix = "global.";

// A non-empty name of Scope::kCustom.
absl::Status ValidateCustomName(const std::string& name);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_OBJECT_NAME_INTERNAL_H_
