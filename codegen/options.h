// What the user may tell the plugin: --shmrpc_out=OPTION=VALUE,...:DIR
//
//   Options options;
//   std::string error;
//   if (!ParseOptions(parameter, &options, &error)) ...

#ifndef CODEGEN_OPTIONS_H_
#define CODEGEN_OPTIONS_H_

#include <string>

namespace shmrpc {
namespace codegen {

struct Options {
  // An inner namespace, within the package's, for the service classes; "":
  // none.
  std::string services_namespace;
};

// False, with the reason, for an unknown option, one given twice or a value
// that makes no sense. `parameter` is what protoc passes on: "a=b,c=d".
bool ParseOptions(const std::string& parameter, Options* options,
                  std::string* error);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_OPTIONS_H_
