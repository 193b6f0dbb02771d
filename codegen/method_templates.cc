#include "codegen/method_templates.h"

namespace shmrpc {
namespace codegen {
namespace {

// Every name of ours starts with ::, because a package may have a part called
// shmrpc. (One called std breaks protobuf's own code already.)
constexpr MethodTemplates kUnary = {
    /*stub_interface=*/R"(virtual ::shmrpc::Status $method$(
    ::shmrpc::ClientContext* context,
    const $request$& request,
    $response$* response) = 0;
)",
    /*stub=*/R"(::shmrpc::Status $method$(
    ::shmrpc::ClientContext* context,
    const $request$& request,
    $response$* response) override;
)",
    /*service=*/R"(virtual ::shmrpc::Status $method$(
    ::shmrpc::ServerContext* context,
    const $request$* request,
    $response$* response);
)",
    /*stub_body=*/R"(
::shmrpc::Status $class$::Stub::$method$(
    ::shmrpc::ClientContext* context,
    const $request$& request,
    $response$* response) {
  return channel_->BlockingUnaryCall(rpcmethod_$method$_, context, request, response);
}
)",
    /*service_body=*/R"(
::shmrpc::Status $class$::Service::$method$(
    ::shmrpc::ServerContext* /*context*/,
    const $request$* /*request*/,
    $response$* /*response*/) {
  return ::shmrpc::Status(::shmrpc::StatusCode::UNIMPLEMENTED, "");
}
)",
    // AddMethod is qualified, because a method of the service may have that
    // name.
    /*registration=*/
    R"(::shmrpc::Service::AddMethod(::shmrpc::internal::MakeUnaryHandler(
    "$path$", &Service::$method$, this));
)",
};

// In the order of the enumerators.
constexpr const MethodTemplates* kTemplates[] = {&kUnary, nullptr, nullptr,
                                                 nullptr};

}  // namespace

const MethodTemplates* TemplatesOf(MethodKind kind) {
  return kTemplates[static_cast<int>(kind)];
}

std::map<std::string, std::string> MethodVariables(const ServiceModel& service,
                                                   const MethodModel& method) {
  return {{"class", service.name},
          {"method", method.name},
          {"path", method.path},
          {"request", method.request},
          {"response", method.response}};
}

}  // namespace codegen
}  // namespace shmrpc
