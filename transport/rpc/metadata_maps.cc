#include "transport/rpc/metadata_maps.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "transport/link/metadata.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr char kMessageKey[] = "grpc-message";

bool LegalInKey(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' ||
         c == '_' || c == '.';
}

bool IsOurs(absl::string_view key) {
  return key == kMessageKey || key == "grpc-status" || key == "grpc-timeout";
}

// What is wrong with the pair; "": nothing.
absl::string_view BrokenRule(absl::string_view key, absl::string_view value) {
  if (key.empty()) return "is empty";
  if (!std::all_of(key.begin(), key.end(), LegalInKey)) {
    return "has other characters than a to z, 0 to 9, '-', '_' and '.'";
  }
  if (IsOurs(key)) return "is the runtime's own";
  if (!absl::EndsWith(key, "-bin") &&
      !std::all_of(value.begin(), value.end(), absl::ascii_isprint)) {
    return "has a value with other bytes than printable ASCII and spaces, "
           "which takes a key that ends in \"-bin\"";
  }
  return "";
}

// For people: a status carries it, so it has a bound.
std::string Quoted(absl::string_view key) {
  constexpr size_t kMost = 100;
  return absl::StrCat("\"", absl::CHexEscape(key.substr(0, kMost)),
                      key.size() > kMost ? "..." : "", "\"");
}

string_ref Ref(absl::string_view s) { return string_ref(s.data(), s.size()); }

}  // namespace

void AddPair(const std::string& key, const std::string& value,
             std::string* bytes, std::string* complaint) {
  const absl::string_view broken = BrokenRule(key, value);
  if (broken.empty()) {
    link::AppendMetadata(key, value, bytes);
  } else if (complaint->empty()) {
    *complaint = absl::StrCat("metadata key ", Quoted(key), " ", broken);
  }
}

bool ToMap(const std::string& bytes,
           std::multimap<string_ref, string_ref>* map) {
  map->clear();
  link::Metadata pairs;
  if (!link::ParseMetadata(bytes, &pairs).ok()) return false;
  for (const auto& pair : pairs) {
    if (pair.first == kMessageKey) continue;
    map->emplace(Ref(pair.first), Ref(pair.second));
  }
  return true;
}

}  // namespace internal
}  // namespace shmrpc
