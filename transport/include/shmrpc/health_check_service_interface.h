// What a server says of its health to those who ask: gRPC's default health
// service, grpc.health.v1.Health (proto/health.proto), with Check and Watch.
//
//   shmrpc::EnableDefaultHealthCheckService(true);
//   std::unique_ptr<shmrpc::Server> server = builder.BuildAndStart();
//   shmrpc::HealthCheckServiceInterface* health =
//       server->GetHealthCheckService();
//   health->SetServingStatus("helloworld.Greeter", true);
//   ...
//   health->SetServingStatus("helloworld.Greeter", false);  // for a while
//
// The server as a whole, "", is serving from the start; a service is unknown
// until its status is set. Server::Shutdown sets all to not serving, tells who
// watches, and ends the watches with UNAVAILABLE, "Cancelling all calls".
//
// A Watch gets the status at once and then what it has become after a change;
// of changes that follow each other faster than they are sent, the latest. Each
// has one of the server's threads (ServerBuilder::SetMaxThreads).
//
// Where the program registers a health service of its own, that one is served.
//
// Thread rule: any. Ownership: the server's.

#ifndef SHMRPC_HEALTH_CHECK_SERVICE_INTERFACE_H_
#define SHMRPC_HEALTH_CHECK_SERVICE_INTERFACE_H_

#include <string>

namespace shmrpc {

class HealthCheckServiceInterface {
 public:
  virtual ~HealthCheckServiceInterface() = default;

  // Of one service, "package.Service", known from then on; "" is the server.
  virtual void SetServingStatus(const std::string& service_name,
                                bool serving) = 0;
  // Of all that are known.
  virtual void SetServingStatus(bool serving) = 0;

  // Nothing is serving any more, whatever is set later.
  virtual void Shutdown() {}
};

// Whether servers that are built from now on have the service. Not at first.
void EnableDefaultHealthCheckService(bool enable);
bool DefaultHealthCheckServiceEnabled();

}  // namespace shmrpc

#endif  // SHMRPC_HEALTH_CHECK_SERVICE_INTERFACE_H_
