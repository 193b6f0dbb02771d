#include "codegen/model.h"

#include "codegen/naming.h"

namespace shmrpc {
namespace codegen {
namespace {

MethodModel BuildMethod(const google::protobuf::MethodDescriptor& method) {
  MethodModel model;
  model.kind = KindOf(method);
  model.name = CppName(method.name());
  model.path = "/" + method.service()->full_name() + "/" + method.name();
  model.request = QualifiedMessageName(*method.input_type());
  model.response = QualifiedMessageName(*method.output_type());
  const char* const streamed_class = TraitsOf(model.kind).streamed_class;
  if (streamed_class != nullptr) {
    model.streamed_class = streamed_class + model.name;
  }
  model.comments = CommentsOf(method);
  return model;
}

ServiceModel BuildService(const google::protobuf::ServiceDescriptor& service) {
  ServiceModel model;
  model.name = CppName(service.name());
  model.full_name = service.full_name();
  model.comments = CommentsOf(service);
  for (int i = 0; i < service.method_count(); ++i) {
    model.methods.push_back(BuildMethod(*service.method(i)));
  }
  return model;
}

}  // namespace

FileModel BuildModel(const google::protobuf::FileDescriptor& file,
                     const Options& options) {
  const std::string stem = StripProtoExtension(file.name());
  FileModel model;
  model.proto_file = file.name();
  model.message_header = stem + ".pb.h";
  model.header = stem + ".shmrpc.pb.h";
  model.source = stem + ".shmrpc.pb.cc";
  model.include_guard = IncludeGuard(file.name());
  model.namespaces = PackageParts(file.package());
  if (!options.services_namespace.empty()) {
    model.namespaces.push_back(options.services_namespace);
  }
  model.comments = CommentsOf(file);
  for (int i = 0; i < file.service_count(); ++i) {
    model.services.push_back(BuildService(*file.service(i)));
  }
  return model;
}

}  // namespace codegen
}  // namespace shmrpc
