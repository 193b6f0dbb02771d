// Calls Greeter in another process and prints the replies.
//
//   greeter_client [NAME [WHO ...]]      default: greeter world

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "examples/greeter/greeter.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

int main(int argc, char** argv) {
  const std::string target =
      std::string("shm:") + (argc > 1 ? argv[1] : "greeter");
  std::vector<std::string> names(argv + std::min(argc, 2), argv + argc);
  if (names.empty()) names.push_back("world");

  auto channel =
      shmrpc::CreateChannel(target, shmrpc::InsecureChannelCredentials());
  auto stub = helloworld::Greeter::NewStub(channel);
  int failed = 0;
  for (const std::string& name : names) {
    shmrpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    helloworld::HelloRequest request;
    request.set_name(name);
    helloworld::HelloReply reply;
    const shmrpc::Status status = stub->SayHello(&context, request, &reply);
    if (status.ok()) {
      std::cout << reply.message() << std::endl;
    } else {
      std::cout << "call failed: " << status << std::endl;
      ++failed;
    }
  }
  return failed == 0 ? 0 : 1;
}
