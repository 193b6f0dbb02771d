// Who may open a kernel object, and who owns it. Internal to
// transport/platform.

#ifndef SHMRPC_TRANSPORT_PLATFORM_SECURITY_WIN_H_
#define SHMRPC_TRANSPORT_PLATFORM_SECURITY_WIN_H_

#include <windows.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shmrpc {
namespace platform {

// UTF-16 for the ...W functions. Invalid UTF-8 becomes U+FFFD.
std::wstring Wide(absl::string_view utf8);

// A security descriptor for CreateFileMapping and the like; the handle is not
// inherited by children. Move-only.
class SecurityAttributes {
 public:
  // From `sddl`; "": the current user alone. `what` is for the Status. The
  // default names the owner: what an elevated process makes would otherwise
  // belong to the Administrators, and the owner may always change the rest.
  static absl::StatusOr<SecurityAttributes> Make(absl::string_view what,
                                                 const std::string& sddl);

  SECURITY_ATTRIBUTES* get() { return &attributes_; }

 private:
  struct Free {
    void operator()(void* descriptor) const { LocalFree(descriptor); }
  };
  SecurityAttributes() = default;

  SECURITY_ATTRIBUTES attributes_ = {};
  std::unique_ptr<void, Free> descriptor_;
};

// PERMISSION_DENIED if the object (opened with READ_CONTROL) belongs to another
// user than this process's. The Administrators' and the system's pass.
absl::Status CheckObjectOwner(absl::string_view what, HANDLE object);

// Owner and DACL of an object (opened with READ_CONTROL) in SDDL; "" on
// failure.
std::string SddlOf(HANDLE object);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_SECURITY_WIN_H_
