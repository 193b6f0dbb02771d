// The four shapes a method can have. What differs between them is data: a row
// of this table, and a row of templates in method_templates.cc.

#ifndef CODEGEN_METHOD_KIND_H_
#define CODEGEN_METHOD_KIND_H_

#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

enum class MethodKind {
  kUnary,
  kClientStreaming,
  kServerStreaming,
  kBidiStreaming,
};

struct MethodKindTraits {
  MethodKind kind;
  bool client_streams;
  bool server_streams;
  bool supported;  // has templates
};

MethodKind KindOf(const google::protobuf::MethodDescriptor& method);
const MethodKindTraits& TraitsOf(MethodKind kind);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_METHOD_KIND_H_
