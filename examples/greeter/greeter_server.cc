// Serves Greeter under a name until it is told to stop.
//
//   greeter_server [NAME]        default: greeter
//
// Prints "listening on shm:NAME" when clients can call, and stops when its
// standard input ends (Ctrl-D, or the end of whoever started it).

#include <iostream>
#include <memory>
#include <string>

#include "examples/greeter/greeter.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

namespace {

class GreeterImpl final : public helloworld::Greeter::Service {
  shmrpc::Status SayHello(shmrpc::ServerContext* context,
                          const helloworld::HelloRequest* request,
                          helloworld::HelloReply* reply) override {
    if (request->name().empty()) {
      return shmrpc::Status(shmrpc::INVALID_ARGUMENT, "name is empty");
    }
    reply->set_message("Hello " + request->name());
    return shmrpc::Status::OK;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::string address =
      std::string("shm:") + (argc > 1 ? argv[1] : "greeter");
  GreeterImpl service;
  shmrpc::ServerBuilder builder;
  builder.AddListeningPort(address, shmrpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<shmrpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log on stderr says why

  std::cout << "listening on " << address << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
  return 0;
}
