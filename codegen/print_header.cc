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
               TemplatesOf(method.kind)->*declaration);
  }
  out->Outdent();
  out->Outdent();
}

void PrintStubInterface(const ServiceModel& service, Printer* out) {
  out->Print(R"(
  class StubInterface {
   public:
    virtual ~StubInterface() = default;
)");
  PrintMethods(service, &MethodTemplates::stub_interface, true, out);
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
  out->Print(R"(
   private:
    const std::shared_ptr<::shmrpc::ChannelInterface> channel_;
)");
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

#include "$message_header$"
#include "shmrpc/generated.h"
#include "shmrpc/shmrpc.h"
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
