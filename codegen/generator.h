// The plugin as protoc sees it: files in, two files each out.

#ifndef CODEGEN_GENERATOR_H_
#define CODEGEN_GENERATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "google/protobuf/compiler/code_generator.h"

namespace shmrpc {
namespace codegen {

class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  using FileDescriptor = google::protobuf::FileDescriptor;
  using GeneratorContext = google::protobuf::compiler::GeneratorContext;

  uint64_t GetSupportedFeatures() const override {
    return FEATURE_PROTO3_OPTIONAL;
  }

  bool Generate(const FileDescriptor* file, const std::string& parameter,
                GeneratorContext* context, std::string* error) const override;

  // Nothing is generated if anything is wrong with any of the files; `error`
  // then lists all of it.
  bool GenerateAll(const std::vector<const FileDescriptor*>& files,
                   const std::string& parameter, GeneratorContext* context,
                   std::string* error) const override;
};

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_GENERATOR_H_
