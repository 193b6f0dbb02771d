#include "transport/link/address.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "transport/memory/layout.h"
#include "transport/platform/random.h"

namespace shmrpc {
namespace link {

Nonce Nonce::Random() {
  return {platform::RandomBits(), platform::RandomBits()};
}

std::string Nonce::ToString() const {
  return absl::StrFormat("%016x%016x", high, low);
}

std::string Address::ToString() const {
  return absl::StrCat(
      "shm:", scope == platform::Scope::kGlobal ? "global/" : "", name);
}

platform::ObjectName Address::IdentityName() const {
  return {scope, absl::StrCat(kObjectPrefix, "srv.", name)};
}

absl::StatusOr<Address> ParseAddress(absl::string_view target) {
  constexpr absl::string_view kExpected =
      "expected \"shm:NAME\" or \"shm:global/NAME\"";
  if (!absl::StartsWith(target, "shm:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("target \"", target, "\": unknown scheme; ", kExpected));
  }
  Address address;
  absl::string_view name = target.substr(4);
  if (absl::StartsWith(name, "global/")) {
    address.scope = platform::Scope::kGlobal;
    name = name.substr(7);
  }
  if (name.size() > memory::kServerNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("target \"", target, "\": the name has ", name.size(),
                     " bytes, the limit is ", memory::kServerNameBytes));
  }
  address.name = std::string(name);
  const absl::Status valid =
      platform::ValidateName({address.scope, address.name});
  if (!valid.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "target \"", target, "\": ", valid.message(), "; ", kExpected));
  }
  return address;
}

platform::ObjectName SlotsName(platform::Scope scope, const Nonce& nonce) {
  return {scope, absl::StrCat(kObjectPrefix, "slots.", nonce.ToString())};
}

platform::ObjectName ConnectionName(platform::Scope scope, const Nonce& nonce) {
  return {scope, absl::StrCat(kConnectionPrefix, nonce.ToString())};
}

}  // namespace link
}  // namespace shmrpc
