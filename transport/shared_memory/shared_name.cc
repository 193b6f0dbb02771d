#include "transport/shared_memory/shared_name.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace {

using platform::Scope;

constexpr absl::string_view kLocal = "Local\\";
constexpr absl::string_view kGlobal = "Global\\";

absl::Status BadName(absl::string_view what, absl::string_view name,
                     absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(Describe(what, name), ": ", why));
}

}  // namespace

std::string Describe(absl::string_view kind, absl::string_view display) {
  // Escaping doubles backslashes, which is not how anybody knows these names.
  const bool printable =
      std::all_of(display.begin(), display.end(), [](char c) {
        return absl::ascii_isprint(static_cast<unsigned char>(c));
      });
  return absl::StrCat(
      kind, " \"", printable ? std::string(display) : absl::CHexEscape(display),
      "\"");
}

absl::StatusOr<SharedName> ParseName(absl::string_view what,
                                     absl::string_view name) {
  SharedName parsed;
  parsed.display = std::string(name);
  if (absl::StartsWith(name, kLocal)) {
    parsed.object = {Scope::kLocal, std::string(name.substr(kLocal.size()))};
  } else if (absl::StartsWith(name, kGlobal)) {
    parsed.object = {Scope::kGlobal, std::string(name.substr(kGlobal.size()))};
  } else if (absl::StartsWithIgnoreCase(name, kLocal) ||
             absl::StartsWithIgnoreCase(name, kGlobal)) {
    // To the kernel it would be some other, unknown directory.
    return BadName(what, name,
                   "capitals count in the prefix; write Local\\ or Global\\");
  } else if (name.find_first_of("\\/") != absl::string_view::npos) {
    parsed.object = {Scope::kCustom, std::string(name)};
  } else {
    parsed.object = {Scope::kLocal, std::string(name)};
    parsed.display = absl::StrCat(kLocal, name);
  }
  if (absl::Status status = ValidateName(parsed.object); !status.ok()) {
    return BadName(what, name, status.message());
  }
  return parsed;
}

absl::Status Explain(const absl::Status& status, absl::string_view kind,
                     const SharedName& name, absl::string_view advice) {
  // `<verb> mapping "<name>"<reason>`
  std::string verb;
  absl::string_view reason;
  for (const absl::string_view noun : {"mapping", "event"}) {
    const std::string object =
        absl::StrCat(noun, " \"", name.object.name, "\"");
    const size_t at = status.message().find(object);
    if (at == absl::string_view::npos) continue;
    verb = std::string(status.message().substr(0, at));
    reason = status.message().substr(at + object.size());
    break;
  }
  if (reason.empty()) return status;  // in our own words already
  std::string text = absl::StrCat(verb, Describe(kind, name.display));
  absl::StatusCode code = status.code();
  if (absl::StrContains(reason, "ERROR_INVALID_HANDLE")) {
    // Windows has one space of names for events, sections, mutexes, ...
    if (code == absl::StatusCode::kInternal) {
      code = absl::StatusCode::kFailedPrecondition;
    }
    absl::StrAppend(&text, reason,
                    ": events, memory, mutexes and others share one space of "
                    "names; choose another name");
  } else if (code == absl::StatusCode::kNotFound) {
    // The last clause tells the user of a server what to do.
    absl::StrAppend(&text, reason.substr(0, reason.rfind(": ")),
                    ": no living process holds it; create it first, or check "
                    "the name and its scope (Local\\ or Global\\)");
  } else if (code == absl::StatusCode::kPermissionDenied) {
    absl::StrAppend(&text, reason,
                    "; who may open it is decided by its creator "
                    "(AccessControl), whether another user's is accepted by "
                    "OpenOptions::require_same_owner");
  } else {
    absl::StrAppend(&text, reason);
    if (code == absl::StatusCode::kAlreadyExists && !advice.empty()) {
      absl::StrAppend(&text, "; ", advice);
    }
  }
  return absl::Status(code, text);
}

absl::Status EmptyObject(absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": it is empty (default-constructed or moved from)"));
}

}  // namespace shmrpc
