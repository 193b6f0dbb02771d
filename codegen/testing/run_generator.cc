#include "codegen/testing/run_generator.h"

#include "codegen/generator.h"
#include "codegen/testing/parsed_protos.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace shmrpc {
namespace codegen {
namespace testing {
namespace {

class MemoryContext final
    : public google::protobuf::compiler::GeneratorContext {
 public:
  explicit MemoryContext(TextFiles* files) : files_(files) {}

  google::protobuf::io::ZeroCopyOutputStream* Open(
      const std::string& name) override {
    return new google::protobuf::io::StringOutputStream(&(*files_)[name]);
  }

 private:
  TextFiles* const files_;
};

}  // namespace

GeneratorRun RunGenerator(const TextFiles& protos,
                          const std::vector<std::string>& names,
                          const std::string& parameter) {
  GeneratorRun run;
  ParsedProtos parsed(protos);
  std::vector<const google::protobuf::FileDescriptor*> files;
  if (names.empty()) {
    for (const auto& [name, text] : protos) files.push_back(parsed.Find(name));
  } else {
    for (const std::string& name : names) files.push_back(parsed.Find(name));
  }
  run.error = parsed.errors();
  if (!run.error.empty()) return run;
  MemoryContext context(&run.files);
  run.ok = Generator().GenerateAll(files, parameter, &context, &run.error);
  return run;
}

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc
