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
#include "shmrpc/write_options.h"

namespace shmrpc {

// Options of a stub; none yet has an effect on local calls.
class StubOptions {};

template <class R>
class ServerReader;
template <class W>
class ServerWriter;
template <class W, class R>
class ServerReaderWriter;
template <class Request, class Response>
class ServerUnaryStreamer;
template <class Request, class Response>
class ServerSplitStreamer;

namespace internal {

using MessageLite = google::protobuf::MessageLite;

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

// A call of which at least one side is a stream, as the client holds it. See
// sync_stream.h for what its functions promise.
class ClientStream {
 public:
  virtual ~ClientStream() = default;  // cancels a call that is not finished
  virtual void WaitForInitialMetadata() = 0;
  virtual bool NextMessageSize(uint32_t* size_bytes) = 0;
  virtual bool Read(MessageLite* message) = 0;
  virtual bool Write(const MessageLite& message, WriteOptions options) = 0;
  virtual bool WritesDone() = 0;
  virtual Status Finish() = 0;
};

// The same as a handler holds it. Not owned by the handler.
class ServerStream {
 public:
  virtual void SendInitialMetadata() = 0;
  virtual bool NextMessageSize(uint32_t* size_bytes) = 0;
  virtual bool Read(MessageLite* message) = 0;
  virtual bool Write(const MessageLite& message, WriteOptions options) = 0;

 protected:
  ~ServerStream() = default;
};

// One method as a server knows it. Stateless but for the service it calls.
class MethodHandler {
 public:
  using MessageLite = google::protobuf::MessageLite;

  explicit MethodHandler(const char* name) : name_(name) {}
  virtual ~MethodHandler() = default;

  const char* name() const { return name_; }

  // Caller owns. Null where the client's messages are a stream: the handler
  // reads them itself.
  virtual MessageLite* NewRequest() const { return nullptr; }
  // Caller owns. Null where the server's messages are a stream.
  virtual MessageLite* NewResponse() const { return nullptr; }
  // `request` and `response` are what the two above make, null where they make
  // none; `stream` is null where both make one.
  virtual Status Run(ServerContext* context, const MessageLite* request,
                     MessageLite* response, ServerStream* stream) const = 0;

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
             MessageLite* response, ServerStream*) const override {
    return (service_->*function_)(context, static_cast<const Request*>(request),
                                  static_cast<Response*>(response));
  }

 private:
  const Function function_;
  ServiceType* const service_;
};

template <class ServiceType, class Request, class Response>
class ClientStreamingMethodHandler final : public MethodHandler {
 public:
  using Function = Status (ServiceType::*)(ServerContext*,
                                           ServerReader<Request>*, Response*);

  ClientStreamingMethodHandler(const char* name, Function function,
                               ServiceType* service)
      : MethodHandler(name), function_(function), service_(service) {}

  MessageLite* NewResponse() const override { return new Response; }
  Status Run(ServerContext* context, const MessageLite*, MessageLite* response,
             ServerStream* stream) const override {
    ServerReader<Request> reader(stream);
    return (service_->*function_)(context, &reader,
                                  static_cast<Response*>(response));
  }

 private:
  const Function function_;
  ServiceType* const service_;
};

template <class ServiceType, class Request, class Response>
class ServerStreamingMethodHandler final : public MethodHandler {
 public:
  using Function = Status (ServiceType::*)(ServerContext*, const Request*,
                                           ServerWriter<Response>*);

  ServerStreamingMethodHandler(const char* name, Function function,
                               ServiceType* service)
      : MethodHandler(name), function_(function), service_(service) {}

  MessageLite* NewRequest() const override { return new Request; }
  Status Run(ServerContext* context, const MessageLite* request, MessageLite*,
             ServerStream* stream) const override {
    ServerWriter<Response> writer(stream);
    return (service_->*function_)(context, static_cast<const Request*>(request),
                                  &writer);
  }

 private:
  const Function function_;
  ServiceType* const service_;
};

// Both sides stream. `Streamer` is ServerReaderWriter<Response, Request>, or
// one of the two that serve a method of another kind as a stream.
template <class ServiceType, class Streamer>
class BidiMethodHandler final : public MethodHandler {
 public:
  using Function = Status (ServiceType::*)(ServerContext*, Streamer*);

  BidiMethodHandler(const char* name, Function function, ServiceType* service)
      : MethodHandler(name), function_(function), service_(service) {}

  Status Run(ServerContext* context, const MessageLite*, MessageLite*,
             ServerStream* stream) const override {
    Streamer streamer(stream);
    return (service_->*function_)(context, &streamer);
  }

 private:
  const Function function_;
  ServiceType* const service_;
};

// The handler of a method; its kind and types follow from `function`.
template <class ServiceType, class Request, class Response>
std::unique_ptr<MethodHandler> MakeMethodHandler(
    const char* name,
    Status (ServiceType::*function)(ServerContext*, const Request*, Response*),
    ServiceType* service) {
  return std::unique_ptr<MethodHandler>(
      new UnaryMethodHandler<ServiceType, Request, Response>(name, function,
                                                             service));
}

template <class ServiceType, class Request, class Response>
std::unique_ptr<MethodHandler> MakeMethodHandler(
    const char* name,
    Status (ServiceType::*function)(ServerContext*, ServerReader<Request>*,
                                    Response*),
    ServiceType* service) {
  return std::unique_ptr<MethodHandler>(
      new ClientStreamingMethodHandler<ServiceType, Request, Response>(
          name, function, service));
}

template <class ServiceType, class Request, class Response>
std::unique_ptr<MethodHandler> MakeMethodHandler(
    const char* name,
    Status (ServiceType::*function)(ServerContext*, const Request*,
                                    ServerWriter<Response>*),
    ServiceType* service) {
  return std::unique_ptr<MethodHandler>(
      new ServerStreamingMethodHandler<ServiceType, Request, Response>(
          name, function, service));
}

template <class ServiceType, class Streamer>
std::unique_ptr<MethodHandler> MakeMethodHandler(
    const char* name,
    Status (ServiceType::*function)(ServerContext*, Streamer*),
    ServiceType* service) {
  return std::unique_ptr<MethodHandler>(
      new BidiMethodHandler<ServiceType, Streamer>(name, function, service));
}

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_GENERATED_H_
