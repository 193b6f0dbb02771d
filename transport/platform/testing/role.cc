#include "transport/platform/testing/role.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

std::map<std::string, RoleFunction>& Roles() {
  static auto* roles = new std::map<std::string, RoleFunction>;
  return *roles;
}

int RoleSeconds() {
  const char* const given = std::getenv("SHMRPC_TEST_ROLE_SECONDS");
  const int seconds = given != nullptr ? std::atoi(given) : 0;
  return seconds > 0 ? seconds : kRoleSeconds;
}

}  // namespace

bool RegisterRole(absl::string_view name, RoleFunction function) {
  return Roles().emplace(std::string(name), function).second;
}

bool RunRoleIfAsked(int argc, char** argv, int* exit_code) {
  constexpr absl::string_view kFlag = "--role=";
  if (argc < 2 || !absl::StartsWith(argv[1], kFlag)) return false;
  const std::string name(absl::string_view(argv[1]).substr(kFlag.size()));
  const auto found = Roles().find(name);
  if (found == Roles().end()) {
    std::fprintf(stderr, "no role \"%s\" in %s\n", name.c_str(), argv[0]);
    *exit_code = 64;
    return true;
  }
  Watchdog dog(RoleSeconds(), absl::StrCat("role ", name));
  *exit_code = found->second(RoleArgs(argv + 2, argv + argc));
  std::fflush(stdout);
  return true;
}

void SendLine(absl::string_view line) {
  // In one piece: another thread may send one, too.
  const std::string text = absl::StrCat(line, "\n");
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

bool ReceiveLine(std::string* line) {
  line->clear();
  for (int c = std::fgetc(stdin); c != EOF; c = std::fgetc(stdin)) {
    if (c == '\n') {
      if (!line->empty() && line->back() == '\r') line->pop_back();
      return true;
    }
    line->push_back(static_cast<char>(c));
  }
  return !line->empty();
}

}  // namespace testing
}  // namespace shmrpc
