#include "codegen/method_templates.h"

#include "codegen/print.h"
#include "google/protobuf/io/printer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace shmrpc {
namespace codegen {
namespace {

// What differs between the kinds inside the templates below, which it enters
// under the members' names. May use $request$ and $response$.
//
// Every name of ours starts with ::, because a package may have a part called
// shmrpc. (One called std breaks protobuf's own code already.)
struct KindTexts {
  // The client's class, "Interface" behind it for the interface's, and the
  // messages it is for.
  const char* stream;
  const char* stream_types;
  // Of the stub's function; what it hands on to the raw one; and where the
  // messages are that do not come by the stream.
  const char* stub_parameters;
  const char* stub_arguments;
  const char* stub_messages;
  // Of the handler behind its context: with names, and without.
  const char* service_parameters;
  const char* unnamed_parameters;
  // What a handler that serves the method as a stream reads and writes.
  const char* streamer;
};

// In the order of the enumerators.
constexpr KindTexts kTexts[] = {
    {
        // Unary: no stream in the stub.
        "",
        "",
        "",
        "",
        "",
        "const $request$* request, $response$* response",
        "const $request$* /*request*/, $response$* /*response*/",
        "::shmrpc::ServerUnaryStreamer<$request$, $response$>",
    },
    {
        "::shmrpc::ClientWriter",
        "$request$",
        "::shmrpc::ClientContext* context, $response$* response",
        "context, response",
        "nullptr, response",
        "::shmrpc::ServerReader<$request$>* reader, $response$* response",
        "::shmrpc::ServerReader<$request$>* /*reader*/, "
        "$response$* /*response*/",
        "",
    },
    {
        "::shmrpc::ClientReader",
        "$response$",
        "::shmrpc::ClientContext* context, const $request$& request",
        "context, request",
        "&request, nullptr",
        "const $request$* request, ::shmrpc::ServerWriter<$response$>* writer",
        "const $request$* /*request*/, "
        "::shmrpc::ServerWriter<$response$>* /*writer*/",
        "::shmrpc::ServerSplitStreamer<$request$, $response$>",
    },
    {
        "::shmrpc::ClientReaderWriter",
        "$request$, $response$",
        "::shmrpc::ClientContext* context",
        "context",
        "nullptr, nullptr",
        "::shmrpc::ServerReaderWriter<$response$, $request$>* stream",
        "::shmrpc::ServerReaderWriter<$response$, $request$>* /*stream*/",
        "",
    },
};

// --- every kind -------------------------------------------------------------

constexpr char kService[] = R"(virtual ::shmrpc::Status $method$(
    ::shmrpc::ServerContext* context,
    $service_parameters$);
)";

constexpr char kServiceBody[] = R"(
::shmrpc::Status $class$::Service::$method$(
    ::shmrpc::ServerContext* /*context*/,
    $unnamed_parameters$) {
  return ::shmrpc::Status(::shmrpc::StatusCode::UNIMPLEMENTED, "");
}
)";

// AddMethod is qualified, because a method of the service may have that name.
constexpr char kRegistration[] =
    R"(::shmrpc::Service::AddMethod(::shmrpc::internal::MakeMethodHandler(
    "$path$", &Service::$method$, this));
)";

// The base class is a parameter, so that several of them add up. By `this`,
// because only the instance knows that it has the member.
constexpr char kStreamed[] = R"(
template <class BaseClass>
class $streamed_class$ : public BaseClass {
 public:
  $streamed_class$() {
    static_assert(std::is_base_of<Service, BaseClass>::value,
                  "BaseClass must be Service or derived from it");
    this->::shmrpc::Service::ReplaceMethod(::shmrpc::internal::MakeMethodHandler(
        "$path$", &$streamed_class$::Streamed$method$, this));
  }
  // Never called: Streamed$method$ serves the method.
  ::shmrpc::Status $method$(
      ::shmrpc::ServerContext* /*context*/,
      $unnamed_parameters$) override {
    return ::shmrpc::Status(::shmrpc::StatusCode::UNIMPLEMENTED, "");
  }
  virtual ::shmrpc::Status Streamed$method$(
      ::shmrpc::ServerContext* context,
      $streamer$* streamer) = 0;
};
)";

// --- unary ------------------------------------------------------------------

constexpr MethodTemplates kUnary = {
    /*stub_interface=*/R"(virtual ::shmrpc::Status $method$(
    ::shmrpc::ClientContext* context,
    const $request$& request,
    $response$* response) = 0;
)",
    /*stub_interface_raw=*/"",
    /*stub=*/R"(::shmrpc::Status $method$(
    ::shmrpc::ClientContext* context,
    const $request$& request,
    $response$* response) override;
)",
    /*stub_raw=*/"",
    kService,
    kStreamed,
    /*stub_body=*/R"(
::shmrpc::Status $class$::Stub::$method$(
    ::shmrpc::ClientContext* context,
    const $request$& request,
    $response$* response) {
  return channel_->BlockingUnaryCall(rpcmethod_$method$_, context, request, response);
}
)",
    kServiceBody,
    kRegistration,
};

// --- streaming --------------------------------------------------------------

constexpr MethodTemplates Streaming(const char* streamed) {
  return {
      /*stub_interface=*/
      R"(std::unique_ptr<$stream$Interface<$stream_types$>> $method$(
    $stub_parameters$) {
  return std::unique_ptr<$stream$Interface<$stream_types$>>(
      $method$Raw($stub_arguments$));
}
)",
      /*stub_interface_raw=*/
      R"(virtual $stream$Interface<$stream_types$>* $method$Raw(
    $stub_parameters$) = 0;
)",
      /*stub=*/R"(std::unique_ptr<$stream$<$stream_types$>> $method$(
    $stub_parameters$) {
  return std::unique_ptr<$stream$<$stream_types$>>(
      $method$Raw($stub_arguments$));
}
)",
      /*stub_raw=*/R"($stream$<$stream_types$>* $method$Raw(
    $stub_parameters$) override;
)",
      kService,
      streamed,
      /*stub_body=*/R"(
$stream$<$stream_types$>* $class$::Stub::$method$Raw(
    $stub_parameters$) {
  return new $stream$<$stream_types$>(
      channel_->StartStream(rpcmethod_$method$_, context, $stub_messages$));
}
)",
      kServiceBody,
      kRegistration,
  };
}

// In the order of the enumerators.
constexpr MethodTemplates kTemplates[] = {
    kUnary,
    Streaming(/*streamed=*/""),
    Streaming(kStreamed),
    Streaming(/*streamed=*/""),
};

using Variables = std::map<std::string, std::string>;

std::string Fill(const char* text, const Variables& variables) {
  std::string filled;
  google::protobuf::io::StringOutputStream stream(&filled);
  google::protobuf::io::Printer(&stream, kDelimiter).Print(variables, text);
  return filled;
}

}  // namespace

const MethodTemplates& TemplatesOf(MethodKind kind) {
  return kTemplates[static_cast<int>(kind)];
}

std::map<std::string, std::string> MethodVariables(const ServiceModel& service,
                                                   const MethodModel& method) {
  const Variables types = {{"request", method.request},
                           {"response", method.response}};
  const KindTexts& texts = kTexts[static_cast<int>(method.kind)];
  Variables variables = types;
  variables["class"] = service.name;
  variables["method"] = method.name;
  variables["path"] = method.path;
  variables["streamed_class"] = method.streamed_class;
  variables["stream"] = texts.stream;
  variables["stream_types"] = Fill(texts.stream_types, types);
  variables["stub_parameters"] = Fill(texts.stub_parameters, types);
  variables["stub_arguments"] = texts.stub_arguments;
  variables["stub_messages"] = texts.stub_messages;
  variables["service_parameters"] = Fill(texts.service_parameters, types);
  variables["unnamed_parameters"] = Fill(texts.unnamed_parameters, types);
  variables["streamer"] = Fill(texts.streamer, types);
  return variables;
}

}  // namespace codegen
}  // namespace shmrpc
