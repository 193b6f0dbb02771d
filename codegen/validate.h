// Whether a .proto file can be generated. Whatever protoc itself rejects was
// rejected before; these are our own rules, most of them name clashes in the
// C++ that a C++ compiler would report far from their cause.

#ifndef CODEGEN_VALIDATE_H_
#define CODEGEN_VALIDATE_H_

#include "codegen/diagnostics.h"
#include "codegen/options.h"
#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

// Reports everything that is wrong with `file`, not only the first thing.
void Validate(const google::protobuf::FileDescriptor& file,
              const Options& options, Diagnostics* diagnostics);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_VALIDATE_H_
