#include <algorithm>
#include <initializer_list>
#include <string>

#include "codegen/method_templates.h"
#include "codegen/print.h"

namespace shmrpc {
namespace codegen {
namespace {

using google::protobuf::io::Printer;

void PrintMethods(const ServiceModel& service,
                  const char* MethodTemplates::*declaration, bool with_comments,
                  Printer* out) {
  out->Indent();
  out->Indent();
  for (const MethodModel& method : service.methods) {
    if (with_comments) PrintComments(method.comments, out);
    out->Print(MethodVariables(service, method),
               TemplatesOf(method.kind).*declaration);
  }
  out->Outdent();
  out->Outdent();
}

bool HasStreams(const ServiceModel& service) {
  return std::any_of(service.methods.begin(), service.methods.end(),
                     [](const MethodModel& method) {
                       return TraitsOf(method.kind).streams();
                     });
}

void PrintStubInterface(const ServiceModel& service, Printer* out) {
  out->Print(R"(
  class StubInterface {
   public:
    virtual ~StubInterface() = default;
)");
  PrintMethods(service, &MethodTemplates::stub_interface, true, out);
  if (HasStreams(service)) {
    out->Print("\n   private:\n");
    PrintMethods(service, &MethodTemplates::stub_interface_raw, false, out);
  }
  out->Print("  };\n");
}

void PrintStub(const ServiceModel& service, Printer* out) {
  out->Print(R"(
  class Stub final : public StubInterface {
   public:
    explicit Stub(
        const std::shared_ptr<::shmrpc::ChannelInterface>& channel,
        const ::shmrpc::StubOptions& options = ::shmrpc::StubOptions());
)");
  PrintMethods(service, &MethodTemplates::stub, false, out);
  out->Print("\n   private:\n");
  if (HasStreams(service)) {
    PrintMethods(service, &MethodTemplates::stub_raw, false, out);
    out->Print("\n");
  }
  out->Print(
      "    const std::shared_ptr<::shmrpc::ChannelInterface> channel_;\n");
  for (const MethodModel& method : service.methods) {
    out->Print("    const ::shmrpc::internal::RpcMethod rpcmethod_$method$_;\n",
               "method", method.name);
  }
  out->Print(R"(  };

  static std::unique_ptr<Stub> NewStub(
      const std::shared_ptr<::shmrpc::ChannelInterface>& channel,
      const ::shmrpc::StubOptions& options = ::shmrpc::StubOptions());
)");
}

void PrintServiceBase(const ServiceModel& service, Printer* out) {
  out->Print(R"(
  class Service : public ::shmrpc::Service {
   public:
    Service();
    ~Service() override;
)");
  PrintMethods(service, &MethodTemplates::service, true, out);
  out->Print("  };\n");
}

// Service, with what serves each method of these kinds as a stream around it.
void PrintStreamedService(const ServiceModel& service, const char* name,
                          std::initializer_list<MethodKind> kinds,
                          Printer* out) {
  std::string type = "Service";
  // The first method's is the outermost, as gRPC has it.
  for (auto method = service.methods.rbegin(); method != service.methods.rend();
       ++method) {
    if (std::count(kinds.begin(), kinds.end(), method->kind) == 0) continue;
    type = method->streamed_class + "<" + type + ">";
  }
  out->Print("  using $name$ = $type$;\n", "name", name, "type", type);
}

void PrintStreamedServices(const ServiceModel& service, Printer* out) {
  out->Indent();
  for (const MethodModel& method : service.methods) {
    out->Print(MethodVariables(service, method),
               TemplatesOf(method.kind).streamed);
  }
  out->Outdent();
  out->Print("\n");
  PrintStreamedService(service, "StreamedUnaryService", {MethodKind::kUnary},
                       out);
  PrintStreamedService(service, "SplitStreamedService",
                       {MethodKind::kServerStreaming}, out);
  PrintStreamedService(service, "StreamedService",
                       {MethodKind::kUnary, MethodKind::kServerStreaming}, out);
}

void PrintService(const ServiceModel& service, Printer* out) {
  out->Print("\n");
  PrintComments(service.comments, out);
  out->Print(R"(class $class$ final {
 public:
  static constexpr char const* service_full_name() {
    return "$full_name$";
  }
)",
             "class", service.name, "full_name", service.full_name);
  PrintStubInterface(service, out);
  PrintStub(service, out);
  PrintServiceBase(service, out);
  PrintStreamedServices(service, out);
  out->Print("};\n");
}

}  // namespace

void PrintHeader(const FileModel& file, Printer* out) {
  PrintBanner(file, out);
  if (!file.comments.empty()) {
    PrintComments(file.comments, out);
    out->Print("\n");
  }
  out->Print(R"(#ifndef $guard$
#define $guard$

#include <memory>
#include <type_traits>

#include "$message_header$"
#include "shmrpc/generated.h"
#include "shmrpc/shmrpc.h"
#include "shmrpc/sync_stream.h"
)",
             "guard", file.include_guard, "message_header",
             file.message_header);
  if (!file.services.empty()) {
    OpenNamespaces(file, out);
    for (const ServiceModel& service : file.services) {
      PrintService(service, out);
    }
    CloseNamespaces(file, out);
  }
  out->Print("\n#endif  // $guard$\n", "guard", file.include_guard);
}

}  // namespace codegen
}  // namespace shmrpc
