// What the code of one method looks like, by kind. Templates of protobuf's
// io::Printer, with the variables that MethodVariables() sets.

#ifndef CODEGEN_METHOD_TEMPLATES_H_
#define CODEGEN_METHOD_TEMPLATES_H_

#include <map>
#include <string>

#include "codegen/method_kind.h"
#include "codegen/model.h"

namespace shmrpc {
namespace codegen {

struct MethodTemplates {
  // In the header, within the class that the name says.
  const char* stub_interface;
  const char* stub;
  const char* service;
  // In the source file.
  const char* stub_body;
  const char* service_body;
  // In the service's constructor.
  const char* registration;
};

// Null for a kind that is not supported (method_kind.cc); validation keeps
// those away from the printers.
const MethodTemplates* TemplatesOf(MethodKind kind);

// $method$, $path$, $request$, $response$ and $class$.
std::map<std::string, std::string> MethodVariables(const ServiceModel& service,
                                                   const MethodModel& method);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_METHOD_TEMPLATES_H_
