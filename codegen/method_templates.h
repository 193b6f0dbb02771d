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

// "" for what methods of a kind do not have.
struct MethodTemplates {
  // In the header, within the class that the name says. The "raw" ones are
  // private: what returns a stream as a plain pointer, so that a mock can
  // override it whatever class the stream is of.
  const char* stub_interface;
  const char* stub_interface_raw;
  const char* stub;
  const char* stub_raw;
  const char* service;
  // Beside those classes: the class template that serves the method as a
  // stream (MethodKindTraits::streamed_class).
  const char* streamed;
  // In the source file.
  const char* stub_body;
  const char* service_body;
  // In the service's constructor.
  const char* registration;
};

const MethodTemplates& TemplatesOf(MethodKind kind);

// $class$, $method$, $path$, $request$ and $response$, and for the templates'
// own use what method_templates.cc says about the method's kind.
std::map<std::string, std::string> MethodVariables(const ServiceModel& service,
                                                   const MethodModel& method);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_METHOD_TEMPLATES_H_
