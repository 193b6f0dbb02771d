// What generated stubs and services call. Programs do not.

#ifndef SHMRPC_GENERATED_H_
#define SHMRPC_GENERATED_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "google/protobuf/message_lite.h"
#include "shmrpc/channel.h"
#include "shmrpc/client_context.h"
#include "shmrpc/server_context.h"
#include "shmrpc/status.h"

namespace shmrpc {

// Options of a stub; none yet has an effect on local calls.
class StubOptions {};

namespace internal {

// One method as a stub knows it: "/package.Service/Method". The name must live
// as long as the process (a literal).
class RpcMethod {
 public:
  explicit RpcMethod(const char* name);
  const char* name() const { return name_; }
  // A small number that stands for the name in this process.
  uint32_t id() const { return id_; }

 private:
  const char* name_;
  uint32_t id_;
};

// One method as a server knows it. Stateless but for the service it calls.
class MethodHandler {
 public:
  using MessageLite = google::protobuf::MessageLite;

  explicit MethodHandler(const char* name) : name_(name) {}
  virtual ~MethodHandler() = default;

  const char* name() const { return name_; }
  virtual MessageLite* NewRequest() const = 0;   // caller owns
  virtual MessageLite* NewResponse() const = 0;  // caller owns
  // `request` and `response` are of the types the two above make.
  virtual Status Run(ServerContext* context, const MessageLite* request,
                     MessageLite* response) const = 0;

 private:
  const char* name_;
};

template <class ServiceType, class Request, class Response>
class UnaryMethodHandler final : public MethodHandler {
 public:
  using Function = Status (ServiceType::*)(ServerContext*, const Request*,
                                           Response*);

  UnaryMethodHandler(const char* name, Function function, ServiceType* service)
      : MethodHandler(name), function_(function), service_(service) {}

  MessageLite* NewRequest() const override { return new Request; }
  MessageLite* NewResponse() const override { return new Response; }
  Status Run(ServerContext* context, const MessageLite* request,
             MessageLite* response) const override {
    return (service_->*function_)(context, static_cast<const Request*>(request),
                                  static_cast<Response*>(response));
  }

 private:
  const Function function_;
  ServiceType* const service_;
};

// The handler of a unary method; the types follow from `function`.
template <class ServiceType, class Request, class Response>
std::unique_ptr<MethodHandler> MakeUnaryHandler(
    const char* name,
    Status (ServiceType::*function)(ServerContext*, const Request*, Response*),
    ServiceType* service) {
  return std::unique_ptr<MethodHandler>(
      new UnaryMethodHandler<ServiceType, Request, Response>(name, function,
                                                             service));
}

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_GENERATED_H_
