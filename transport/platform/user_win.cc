#include <windows.h>

// After windows.h, which it needs.
#include <sddl.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/security_win.h"
#include "transport/platform/user.h"

namespace shmrpc {
namespace platform {
namespace {

std::string Utf8(const wchar_t* wide) {
  char bytes[1024] = {};
  WideCharToMultiByte(CP_UTF8, 0, wide, -1, bytes, sizeof(bytes) - 1, nullptr,
                      nullptr);
  return bytes;
}

}  // namespace

std::string CurrentUser() { return CurrentUserText(); }

absl::StatusOr<std::string> ParseUser(absl::string_view text) {
  PSID sid = nullptr;
  // "" would be the null SID to some.
  if (text.empty() || text.find('\0') != absl::string_view::npos ||
      !ConvertStringSidToSidW(Wide(text).c_str(), &sid)) {
    return absl::InvalidArgumentError(
        absl::StrCat("user \"", absl::CHexEscape(text),
                     "\" is not a SID, as in \"S-1-5-18\" (whoami /user tells "
                     "one's own)"));
  }
  // As the system writes it: "SY" is one, too.
  const std::string user = SidText(sid);
  LocalFree(sid);
  return user;
}

std::string UserName(const std::string& user) {
  PSID sid = nullptr;
  if (user.empty() || !ConvertStringSidToSidW(Wide(user).c_str(), &sid)) {
    return "";
  }
  wchar_t name[257] = {};
  wchar_t domain[257] = {};
  DWORD name_units = 257;
  DWORD domain_units = 257;
  SID_NAME_USE use;
  const BOOL found = LookupAccountSidW(nullptr, sid, name, &name_units, domain,
                                       &domain_units, &use);
  LocalFree(sid);
  if (!found) return "";
  return domain[0] == L'\0' ? Utf8(name)
                            : absl::StrCat(Utf8(domain), "\\", Utf8(name));
}

}  // namespace platform
}  // namespace shmrpc
