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
#include "transport/platform/access_policy.h"

namespace shmrpc {
namespace platform {

// UTF-16 for the ...W functions. Invalid UTF-8 becomes U+FFFD.
std::wstring Wide(absl::string_view utf8);

// A security descriptor for CreateFileMapping and the like; the handle is not
// inherited by children. Move-only.
class SecurityAttributes {
 public:
  // `what` is for the Status. The owner is always named: what an elevated
  // process makes would otherwise belong to the Administrators, and the owner
  // may always change the rest.
  static absl::StatusOr<SecurityAttributes> Make(absl::string_view what,
                                                 const AccessPolicy& access);

  SECURITY_ATTRIBUTES* get() { return &attributes_; }

 private:
  struct Free {
    void operator()(void* descriptor) const { LocalFree(descriptor); }
  };
  SecurityAttributes() = default;

  SECURITY_ATTRIBUTES attributes_ = {};
  std::unique_ptr<void, Free> descriptor_;
};

// "S-1-5-..."; "" on failure.
std::string SidText(PSID sid);

// The SID of the user this process runs as; "" on failure, with the last error
// set.
std::string CurrentUserText();

// Whom an object (opened with READ_CONTROL) belongs to. A failure if the system
// does not say.
struct OwnerSid {
  std::string user;
  bool is_self = false;
  bool is_privileged = false;  // the Administrators, the system
};
absl::StatusOr<OwnerSid> OwnerOf(absl::string_view what, HANDLE object);

// Owner and DACL of an object (opened with READ_CONTROL) in SDDL; "" on
// failure.
std::string SddlOf(HANDLE object);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_SECURITY_WIN_H_
