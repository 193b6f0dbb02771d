#include "codegen/method_templates.h"
#include "codegen/print.h"

namespace shmrpc {
namespace codegen {
namespace {

using google::protobuf::io::Printer;

void PrintStubConstruction(const ServiceModel& service, Printer* out) {
  out->Print(R"(
std::unique_ptr<$class$::Stub> $class$::NewStub(
    const std::shared_ptr<::shmrpc::ChannelInterface>& channel,
    const ::shmrpc::StubOptions& options) {
  return std::unique_ptr<Stub>(new Stub(channel, options));
}

$class$::Stub::Stub(
    const std::shared_ptr<::shmrpc::ChannelInterface>& channel,
    const ::shmrpc::StubOptions& /*options*/)
    : channel_(channel))",
             "class", service.name);
  for (const MethodModel& method : service.methods) {
    out->Print(MethodVariables(service, method),
               ",\n      rpcmethod_$method$_(\"$path$\")");
  }
  out->Print(" {}\n");
}

void PrintServiceConstruction(const ServiceModel& service, Printer* out) {
  if (service.methods.empty()) {
    out->Print("\n$class$::Service::Service() = default;\n", "class",
               service.name);
  } else {
    out->Print("\n$class$::Service::Service() {\n", "class", service.name);
    out->Indent();
    for (const MethodModel& method : service.methods) {
      out->Print(MethodVariables(service, method),
                 TemplatesOf(method.kind).registration);
    }
    out->Outdent();
    out->Print("}\n");
  }
  out->Print("\n$class$::Service::~Service() = default;\n", "class",
             service.name);
}

void PrintService(const ServiceModel& service, Printer* out) {
  PrintStubConstruction(service, out);
  for (const MethodModel& method : service.methods) {
    out->Print(MethodVariables(service, method),
               TemplatesOf(method.kind).stub_body);
  }
  PrintServiceConstruction(service, out);
  for (const MethodModel& method : service.methods) {
    out->Print(MethodVariables(service, method),
               TemplatesOf(method.kind).service_body);
  }
}

}  // namespace

void PrintSource(const FileModel& file, Printer* out) {
  PrintBanner(file, out);
  out->Print("#include \"$header$\"\n", "header", file.header);
  if (file.services.empty()) return;
  OpenNamespaces(file, out);
  for (const ServiceModel& service : file.services) {
    PrintService(service, out);
  }
  CloseNamespaces(file, out);
}

}  // namespace codegen
}  // namespace shmrpc
