#include "codegen/options.h"

#include <set>
#include <utility>
#include <vector>

#include "codegen/naming.h"
#include "google/protobuf/compiler/code_generator.h"

namespace shmrpc {
namespace codegen {
namespace {

struct KnownOption {
  const char* name;
  std::string Options::*value;
};

// The list users see in the error for an unknown one.
const KnownOption kKnownOptions[] = {
    {"services_namespace", &Options::services_namespace},
};

const KnownOption* Find(const std::string& name) {
  for (const KnownOption& option : kKnownOptions) {
    if (name == option.name) return &option;
  }
  return nullptr;
}

std::string KnownNames() {
  std::string names;
  for (const KnownOption& option : kKnownOptions) {
    if (!names.empty()) names += ", ";
    names += option.name;
  }
  return names;
}

}  // namespace

bool ParseOptions(const std::string& parameter, Options* options,
                  std::string* error) {
  std::vector<std::pair<std::string, std::string>> given;
  google::protobuf::compiler::ParseGeneratorParameter(parameter, &given);
  std::set<std::string> seen;
  for (const auto& [name, value] : given) {
    const KnownOption* known = Find(name);
    if (known == nullptr) {
      *error =
          "unknown option \"" + name + "\"; known options: " + KnownNames();
      return false;
    }
    if (!seen.insert(name).second) {
      *error = "option \"" + name + "\" is given twice";
      return false;
    }
    options->*(known->value) = value;
  }
  // Every option there is names a namespace.
  if (seen.count("services_namespace") != 0 &&
      !IsUsableIdentifier(options->services_namespace)) {
    *error = "option \"services_namespace\": \"" + options->services_namespace +
             "\" is not a C++ identifier";
    return false;
  }
  return true;
}

}  // namespace codegen
}  // namespace shmrpc
