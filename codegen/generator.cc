#include "codegen/generator.h"

#include <memory>

#include "codegen/diagnostics.h"
#include "codegen/model.h"
#include "codegen/options.h"
#include "codegen/print.h"
#include "codegen/validate.h"
#include "google/protobuf/io/printer.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace shmrpc {
namespace codegen {
namespace {

using google::protobuf::io::Printer;
using google::protobuf::io::ZeroCopyOutputStream;

template <class Print>
void WriteFile(const std::string& name, const FileModel& model, Print print,
               google::protobuf::compiler::GeneratorContext* context) {
  const std::unique_ptr<ZeroCopyOutputStream> stream(context->Open(name));
  Printer printer(stream.get(), kDelimiter);
  print(model, &printer);
}

}  // namespace

bool Generator::Generate(const FileDescriptor* file,
                         const std::string& parameter,
                         GeneratorContext* context, std::string* error) const {
  return GenerateAll({file}, parameter, context, error);
}

bool Generator::GenerateAll(const std::vector<const FileDescriptor*>& files,
                            const std::string& parameter,
                            GeneratorContext* context,
                            std::string* error) const {
  Options options;
  if (!ParseOptions(parameter, &options, error)) return false;
  Diagnostics diagnostics;
  for (const FileDescriptor* file : files) {
    Validate(*file, options, &diagnostics);
  }
  if (!diagnostics.empty()) {
    *error = diagnostics.ToString();
    return false;
  }
  for (const FileDescriptor* file : files) {
    const FileModel model = BuildModel(*file, options);
    WriteFile(model.header, model, PrintHeader, context);
    WriteFile(model.source, model, PrintSource, context);
  }
  return true;
}

}  // namespace codegen
}  // namespace shmrpc
