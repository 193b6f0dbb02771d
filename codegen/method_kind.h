// The four shapes a method can have. What differs between them is data: a row
// of this table, and a row of texts in method_templates.cc.

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
  // Start of the name, up to the method's, of the class template that serves
  // the method as a stream; null where both sides stream anyway, or the client
  // does (gRPC has none for it).
  const char* streamed_class;

  bool streams() const { return client_streams || server_streams; }
};

MethodKind KindOf(const google::protobuf::MethodDescriptor& method);
const MethodKindTraits& TraitsOf(MethodKind kind);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_METHOD_KIND_H_
