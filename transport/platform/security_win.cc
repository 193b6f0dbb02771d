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

// Takes the right to write from every entry of the list that is not the
// owner's. Entries of other kinds than these two keep what they say.
void MakeReadOnlyForOthers(PSECURITY_DESCRIPTOR descriptor, PSID owner) {
  BOOL present = FALSE;
  BOOL defaulted = FALSE;
  PACL list = nullptr;
  if (!GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted) ||
      !present || list == nullptr) {
    return;
  }
  for (DWORD i = 0; i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (!GetAce(list, i, &entry)) return;
    if (static_cast<ACE_HEADER*>(entry)->AceType != ACCESS_ALLOWED_ACE_TYPE) {
      continue;
    }
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    const PSID sid = &allowed->SidStart;
    if (EqualSid(sid, owner) || IsWellKnownSid(sid, WinCreatorOwnerRightsSid)) {
      continue;
    }
    if ((allowed->Mask & (GENERIC_ALL | GENERIC_READ | SECTION_MAP_READ)) !=
        0) {
      allowed->Mask = GENERIC_READ;
    } else {
      allowed->Mask &= SYNCHRONIZE | READ_CONTROL;
    }
  }
}

struct Descriptor {
  std::unique_ptr<void, decltype(&LocalFree)> owned{nullptr, &LocalFree};
  PSID owner = nullptr;  // in it; null: it names none
};

// INVALID_ARGUMENT if `sddl` is no security descriptor.
absl::StatusOr<Descriptor> Parse(absl::string_view what,
                                 const std::string& sddl) {
  PSECURITY_DESCRIPTOR parsed = nullptr;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
          Wide(sddl).c_str(), SDDL_REVISION_1, &parsed, nullptr)) {
    const int error = LastOsError();
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": \"", sddl,
        "\" is not a security descriptor: ", DescribeOsError(error)));
  }
  Descriptor result;
  result.owned.reset(parsed);
  BOOL defaulted = FALSE;
  GetSecurityDescriptorOwner(parsed, &result.owner, &defaulted);
  return result;
}

}  // namespace

std::string SidText(PSID sid) {
  char* text = nullptr;
  if (!ConvertSidToStringSidA(sid, &text)) return "";
  std::string result(text);
  LocalFree(text);
  return result;
}

std::string CurrentUserText() {
  std::vector<char> user = CurrentUser();
  return user.empty() ? "" : SidText(SidOf(user));
}

std::wstring Wide(absl::string_view utf8) {
  const int bytes = static_cast<int>(utf8.size());
  const int units =
      MultiByteToWideChar(CP_UTF8, 0, utf8.data(), bytes, nullptr, 0);
  std::wstring wide(static_cast<size_t>(units), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), bytes, &wide[0], units);
  return wide;
}

absl::StatusOr<SecurityAttributes> SecurityAttributes::Make(
    absl::string_view what, const AccessPolicy& access) {
  const std::string self = CurrentUserText();
  if (self.empty()) {
    return OsError(absl::StrCat(what, ": find the current user"),
                   LastOsError());
  }
  const std::string owner = absl::StrCat("O:", self);
  std::string text = access.sddl;
  if (!access.user.empty() || text.empty()) {
    // P: protected, nothing is inherited. The user may do anything; the other
    // one may read, write and (events need it) wait, but not change this list.
    text = absl::StrCat(owner, "D:P(A;;GA;;;", self, ")");
    if (!access.user.empty() && access.user != self) {
      absl::StrAppend(&text, "(A;;GRGWGX;;;", access.user, ")");
    }
  }
  auto descriptor = Parse(what, text);
  if (descriptor.ok() && descriptor->owner == nullptr) {
    descriptor = Parse(what, absl::StrCat(owner, text));
  }
  if (!descriptor.ok()) return descriptor.status();
  if (access.others_read_only) {
    MakeReadOnlyForOthers(descriptor->owned.get(), descriptor->owner);
  }
  SecurityAttributes result;
  result.descriptor_.reset(descriptor->owned.release());
  result.attributes_.nLength = sizeof(result.attributes_);
  result.attributes_.lpSecurityDescriptor = result.descriptor_.get();
  result.attributes_.bInheritHandle = FALSE;
  return result;
}

absl::StatusOr<OwnerSid> OwnerOf(absl::string_view what, HANDLE object) {
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
  absl::StatusOr<OwnerSid> result;
  if (user.empty()) {
    result =
        OsError(absl::StrCat(what, ": find the current user"), LastOsError());
  } else if (owner == nullptr) {
    result = absl::PermissionDeniedError(
        absl::StrCat(what, ": it belongs to nobody"));
  } else {
    result = OwnerSid{SidText(owner), EqualSid(owner, SidOf(user)) != FALSE,
                      IsWellKnownSid(owner, WinBuiltinAdministratorsSid) ||
                          IsWellKnownSid(owner, WinLocalSystemSid)};
  }
  LocalFree(descriptor);
  return result;
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
