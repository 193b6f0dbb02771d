#include "codegen/testing/parsed_protos.h"

#include <utility>

#include "google/protobuf/empty.pb.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/timestamp.pb.h"

namespace shmrpc {
namespace codegen {
namespace testing {

using google::protobuf::FileDescriptor;
using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::ZeroCopyInputStream;

class ParsedProtos::Tree final : public google::protobuf::compiler::SourceTree {
 public:
  explicit Tree(std::map<std::string, std::string> protos)
      : protos_(std::move(protos)) {
    // Well-known types are compiled in: print them instead of looking for the
    // files they came from.
    for (const FileDescriptor* file :
         {google::protobuf::Empty::descriptor()->file(),
          google::protobuf::Timestamp::descriptor()->file()}) {
      protos_.insert({file->name(), file->DebugString()});
    }
  }

  ZeroCopyInputStream* Open(const std::string& name) override {
    const auto found = protos_.find(name);
    if (found == protos_.end()) return nullptr;
    return new ArrayInputStream(found->second.data(),
                                static_cast<int>(found->second.size()));
  }

 private:
  std::map<std::string, std::string> protos_;
};

ParsedProtos::ParsedProtos(std::map<std::string, std::string> protos)
    : tree_(std::make_unique<Tree>(std::move(protos))),
      importer_(tree_.get(), this) {}

ParsedProtos::~ParsedProtos() = default;

const FileDescriptor* ParsedProtos::Find(const std::string& name) {
  return importer_.Import(name);
}

void ParsedProtos::AddError(const std::string& file, int line, int column,
                            const std::string& message) {
  errors_ += file + ":" + std::to_string(line + 1) + ":" +
             std::to_string(column + 1) + ": " + message + "\n";
}

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc
