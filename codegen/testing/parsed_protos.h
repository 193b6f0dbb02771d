// Descriptors, with their places in the source, of .proto files given as text.
//
//   ParsedProtos protos({{"a.proto", "syntax = \"proto3\"; ..."}});
//   const FileDescriptor* file = protos.Find("a.proto");  // null: see errors()

#ifndef CODEGEN_TESTING_PARSED_PROTOS_H_
#define CODEGEN_TESTING_PARSED_PROTOS_H_

#include <map>
#include <memory>
#include <string>

#include "google/protobuf/compiler/importer.h"
#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {
namespace testing {

// The descriptors live as long as this does.
class ParsedProtos final
    : private google::protobuf::compiler::MultiFileErrorCollector {
 public:
  // Files of google/protobuf/ need not be given.
  explicit ParsedProtos(std::map<std::string, std::string> protos);
  ~ParsedProtos() override;

  const google::protobuf::FileDescriptor* Find(const std::string& name);
  const std::string& errors() const { return errors_; }

 private:
  class Tree;

  void AddError(const std::string& file, int line, int column,
                const std::string& message) override;

  std::string errors_;
  const std::unique_ptr<Tree> tree_;
  google::protobuf::compiler::Importer importer_;
};

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_TESTING_PARSED_PROTOS_H_
