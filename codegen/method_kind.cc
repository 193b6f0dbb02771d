#include "codegen/method_kind.h"

namespace shmrpc {
namespace codegen {
namespace {

// In the order of the enumerators.
constexpr MethodKindTraits kTraits[] = {
    {MethodKind::kUnary, false, false, "WithStreamedUnaryMethod_"},
    {MethodKind::kClientStreaming, true, false, nullptr},
    {MethodKind::kServerStreaming, false, true, "WithSplitStreamingMethod_"},
    {MethodKind::kBidiStreaming, true, true, nullptr},
};

}  // namespace

MethodKind KindOf(const google::protobuf::MethodDescriptor& method) {
  for (const MethodKindTraits& traits : kTraits) {
    if (traits.client_streams == method.client_streaming() &&
        traits.server_streams == method.server_streaming()) {
      return traits.kind;
    }
  }
  return MethodKind::kUnary;  // not reached: the table is complete
}

const MethodKindTraits& TraitsOf(MethodKind kind) {
  return kTraits[static_cast<int>(kind)];
}

}  // namespace codegen
}  // namespace shmrpc
