#include "transport/platform/object_name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/object_name_internal.h"

namespace shmrpc {
namespace platform {
namespace {

bool Allowed(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

ObjectName ObjectName::WithSuffix(absl::string_view suffix) const {
  return {scope, absl::StrCat(name, suffix)};
}

absl::Status ValidateName(const ObjectName& name) {
  const std::string& text = name.name;
  if (text.empty()) {
    return absl::InvalidArgumentError("the name of a shared object is empty");
  }
  if (name.scope == Scope::kCustom) return ValidateCustomName(text);
  // Escaped: a name with control characters must not garble a terminal.
  const std::string quoted = absl::StrCat("\"", absl::CHexEscape(text), "\"");
  if (text.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("name ", quoted, " has ", text.size(),
                     " bytes; the limit is ", kMaxNameBytes));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (!Allowed(text[i])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "name ", quoted, " has '", absl::CHexEscape(text.substr(i, 1)),
          "' at position ", i, "; allowed are A-Z a-z 0-9 . _ -"));
    }
  }
  if (text[0] == '.') {
    return absl::InvalidArgumentError(absl::StrCat(
        "name ", quoted, " has '.' at position 0; it must not start with one"));
  }
  if (name.scope == Scope::kLocal && absl::StartsWith(text, kGlobalPrefix)) {
    return absl::InvalidArgumentError(
        absl::StrCat("name ", quoted, " starts with \"", kGlobalPrefix,
                     "\", which marks global names; use Scope::kGlobal"));
  }
  return absl::OkStatus();
}

}  // namespace platform
}  // namespace shmrpc
