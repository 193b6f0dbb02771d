#include "codegen/method_templates.h"

namespace shmrpc {
namespace codegen {
namespace {

// Every name of ours and of the standard library starts with ::, because a
// package may have a part called std or shmrpc.
const MethodTemplates kUnary = {
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

}  // namespace

const MethodTemplates& TemplatesOf(MethodKind kind) {
  switch (kind) {
    case MethodKind::kUnary:
    case MethodKind::kClientStreaming:  // these three: see method_kind.cc
    case MethodKind::kServerStreaming:
    case MethodKind::kBidiStreaming:
      break;
  }
  return kUnary;
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
