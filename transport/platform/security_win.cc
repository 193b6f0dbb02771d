#include "transport/platform/security_win.h"

// After windows.h, which they need.
#include <aclapi.h>
#include <sddl.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"

namespace shmrpc {
namespace platform {
namespace {

// TOKEN_USER with its SID behind it; empty on failure, with the last error set.
std::vector<char> CurrentUser() {
  HANDLE token = nullptr;
  // The process's, not an impersonating thread's: the objects are the
  // process's.
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return {};
  DWORD size_bytes = 0;
  GetTokenInformation(token, TokenUser, nullptr, 0, &size_bytes);
  std::vector<char> user(size_bytes);
  if (size_bytes == 0 || !GetTokenInformation(token, TokenUser, user.data(),
                                              size_bytes, &size_bytes)) {
    user.clear();
  }
  const DWORD error = GetLastError();
  CloseHandle(token);
  SetLastError(error);
  return user;
}

PSID SidOf(std::vector<char>& user) {
  return reinterpret_cast<TOKEN_USER*>(user.data())->User.Sid;
}

std::string SidText(PSID sid) {
  char* text = nullptr;
  if (!ConvertSidToStringSidA(sid, &text)) return "";
  std::string result(text);
  LocalFree(text);
  return result;
}

}  // namespace

std::wstring Wide(absl::string_view utf8) {
  const int bytes = static_cast<int>(utf8.size());
  const int units =
      MultiByteToWideChar(CP_UTF8, 0, utf8.data(), bytes, nullptr, 0);
  std::wstring wide(static_cast<size_t>(units), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), bytes, &wide[0], units);
  return wide;
}

absl::StatusOr<SecurityAttributes> SecurityAttributes::Make(
    absl::string_view what, const std::string& sddl) {
  std::string text = sddl;
  if (text.empty()) {
    std::vector<char> user = CurrentUser();
    const std::string sid = user.empty() ? "" : SidText(SidOf(user));
    if (sid.empty()) {
      return OsError(absl::StrCat(what, ": find the current user"),
                     LastOsError());
    }
    // P: protected, nothing is inherited; one entry: the user may do anything.
    text = absl::StrCat("O:", sid, "D:P(A;;GA;;;", sid, ")");
  }
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
          Wide(text).c_str(), SDDL_REVISION_1, &descriptor, nullptr)) {
    const int error = LastOsError();
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": \"", text,
        "\" is not a security descriptor: ", DescribeOsError(error)));
  }
  SecurityAttributes result;
  result.descriptor_.reset(descriptor);
  result.attributes_.nLength = sizeof(result.attributes_);
  result.attributes_.lpSecurityDescriptor = descriptor;
  result.attributes_.bInheritHandle = FALSE;
  return result;
}

absl::Status CheckObjectOwner(absl::string_view what, HANDLE object) {
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD error =
      GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION,
                      &owner, nullptr, nullptr, nullptr, &descriptor);
  if (error != ERROR_SUCCESS) {
    return OsError(absl::StrCat(what, ": find its owner"),
                   static_cast<int>(error));
  }
  std::vector<char> user = CurrentUser();
  absl::Status status;
  if (user.empty()) {
    status =
        OsError(absl::StrCat(what, ": find the current user"), LastOsError());
  } else if (owner == nullptr ||
             (!EqualSid(owner, SidOf(user)) &&
              !IsWellKnownSid(owner, WinBuiltinAdministratorsSid) &&
              !IsWellKnownSid(owner, WinLocalSystemSid))) {
    status = absl::PermissionDeniedError(absl::StrCat(
        what, ": it belongs to ", owner == nullptr ? "nobody" : SidText(owner),
        ", not to this process's user ", SidText(SidOf(user)),
        ": somebody else took the name, or the server runs as another user"));
  }
  LocalFree(descriptor);
  return status;
}

std::string SddlOf(HANDLE object) {
  constexpr SECURITY_INFORMATION kWhat =
      OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (GetSecurityInfo(object, SE_KERNEL_OBJECT, kWhat, nullptr, nullptr,
                      nullptr, nullptr, &descriptor) != ERROR_SUCCESS) {
    return "";
  }
  std::string result;
  char* text = nullptr;
  if (ConvertSecurityDescriptorToStringSecurityDescriptorA(
          descriptor, SDDL_REVISION_1, kWhat, &text, nullptr)) {
    result = text;
    LocalFree(text);
  }
  LocalFree(descriptor);
  return result;
}

}  // namespace platform
}  // namespace shmrpc
