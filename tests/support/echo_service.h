// EchoService (proto/echo.proto) as its schema says.
//
// Thread rule: any, as for every service.

#ifndef SHMRPC_TESTS_SUPPORT_ECHO_SERVICE_H_
#define SHMRPC_TESTS_SUPPORT_ECHO_SERVICE_H_

#include "proto/echo.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

namespace shmrpc {
namespace testing {

// The exit code of a server asked to crash.
constexpr int kCrashExitCode = 42;

class EchoServiceImpl final : public EchoService::Service {
 public:
  Status Echo(ServerContext* context, const EchoRequest* request,
              EchoReply* reply) override;
  Status Empty(ServerContext* context, const google::protobuf::Empty* request,
               google::protobuf::Empty* reply) override;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_ECHO_SERVICE_H_
