#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/os_error.h"
#include "transport/platform/user.h"

namespace shmrpc {
namespace platform {
namespace {

constexpr size_t kMaxEntryBytes = 1 << 20;

// Calls a getpw..._r function with a buffer that is large enough. 0 or an
// errno; `*found` says whether there is such a user.
template <class Query>
int Ask(const Query& query, passwd* entry, std::vector<char>* buffer,
        bool* found) {
  buffer->resize(1024);
  for (;;) {
    passwd* result = nullptr;
    const int error = query(entry, buffer->data(), buffer->size(), &result);
    if (error == EINTR) continue;
    if (error == ERANGE && buffer->size() < kMaxEntryBytes) {
      buffer->resize(buffer->size() * 4);
      continue;
    }
    *found = error == 0 && result != nullptr;
    return error;
  }
}

}  // namespace

std::string CurrentUser() { return absl::StrCat(geteuid()); }

absl::StatusOr<std::string> ParseUser(absl::string_view text) {
  const std::string name(text);
  const std::string quoted = absl::StrCat("\"", absl::CHexEscape(name), "\"");
  if (name.empty() || name.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "user ", quoted, " is neither a number nor the name of a user"));
  }
  if (std::all_of(name.begin(), name.end(),
                  [](char c) { return c >= '0' && c <= '9'; })) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(name, &number)) {
      return absl::InvalidArgumentError(
          absl::StrCat("user ", quoted, ": user ids have 32 bits"));
    }
    return absl::StrCat(number);  // without leading zeros
  }
  passwd entry;
  std::vector<char> buffer;
  bool found = false;
  const int error = Ask(
      [&](passwd* e, char* data, size_t size, passwd** result) {
        return getpwnam_r(name.c_str(), e, data, size, result);
      },
      &entry, &buffer, &found);
  if (found) return absl::StrCat(entry.pw_uid);
  if (error == 0) {
    return absl::NotFoundError(
        absl::StrCat("user ", quoted, ": nobody has this name"));
  }
  return OsError(absl::StrCat("look up user ", quoted), error);
}

std::string UserName(const std::string& user) {
  uint32_t uid = 0;
  if (!absl::SimpleAtoi(user, &uid)) return "";
  passwd entry;
  std::vector<char> buffer;
  bool found = false;
  Ask([uid](passwd* e, char* data, size_t size,
            passwd** result) { return getpwuid_r(uid, e, data, size, result); },
      &entry, &buffer, &found);
  return found ? entry.pw_name : "";
}

}  // namespace platform
}  // namespace shmrpc
