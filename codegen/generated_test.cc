// What generated stubs and services do, against a channel that calls the
// service in place: no transport takes part.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "codegen/testdata/clashes.shmrpc.pb.h"
#include "codegen/testdata/keywords.shmrpc.pb.h"
#include "codegen/testdata/lite.shmrpc.pb.h"
#include "codegen/testdata/namespaced.shmrpc.pb.h"
#include "codegen/testdata/no_methods.shmrpc.pb.h"
#include "codegen/testdata/no_package.shmrpc.pb.h"
#include "codegen/testdata/types.shmrpc.pb.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace golden {
namespace {

using google::protobuf::MessageLite;

// Messages cross as bytes, as they would between processes.
class DirectChannel final : public ChannelInterface {
 public:
  explicit DirectChannel(Service* service) : service_(service) {}

  Status BlockingUnaryCall(const internal::RpcMethod& method,
                           ClientContext* context, const MessageLite& request,
                           MessageLite* response) override {
    for (const auto& handler : service_->methods()) {
      if (std::strcmp(handler->name(), method.name()) != 0) continue;
      const std::unique_ptr<MessageLite> received(handler->NewRequest());
      const std::unique_ptr<MessageLite> reply(handler->NewResponse());
      ServerContext server_context;
      received->ParseFromString(request.SerializeAsString());
      const Status status =
          handler->Run(&server_context, received.get(), reply.get());
      response->ParseFromString(reply->SerializeAsString());
      return status;
    }
    return Status(StatusCode::NOT_FOUND, method.name());
  }

 private:
  Service* const service_;
};

std::vector<std::string> NamesOf(const Service& service) {
  std::vector<std::string> names;
  for (const auto& handler : service.methods()) {
    names.push_back(handler->name());
  }
  return names;
}

class TypesImpl final : public types::Types::Service {
 public:
  Status Nested(ServerContext* context, const types::Outer_Inner* request,
                types::Outer* response) override {
    response->mutable_inner()->set_number(request->number() + 1);
    return Status::OK;
  }
};

TEST(Generated, CallReachesTheHandlerAndComesBack) {
  TypesImpl service;
  const auto stub =
      types::Types::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext context;
  types::Outer_Inner request;
  request.set_number(41);
  types::Outer response;
  EXPECT_TRUE(stub->Nested(&context, request, &response).ok());
  EXPECT_EQ(response.inner().number(), 42);
}

TEST(Generated, MethodThatIsNotOverriddenIsUnimplemented) {
  TypesImpl service;
  const auto stub =
      types::Types::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext context;
  types::Outer response;
  const Status status =
      stub->WellKnown(&context, google::protobuf::Timestamp(), &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "");
}

TEST(Generated, FullNamesAreThoseOfTheProto) {
  static_assert(types::Types::service_full_name()[0] == 's', "constexpr");
  EXPECT_STREQ(types::Types::service_full_name(), "shmrpc.golden.types.Types");
  EXPECT_STREQ(NoPackageService::service_full_name(), "NoPackageService");
  EXPECT_STREQ(namespaced::rpc::Namespaced::service_full_name(),
               "shmrpc.golden.namespaced.Namespaced");
  EXPECT_STREQ(keywords::union_::service_full_name(),
               "shmrpc.golden.keywords.union");
}

TEST(Generated, ServiceRegistersItsMethodsUnderTheirNamesOnTheWire) {
  EXPECT_EQ(NamesOf(keywords::union_::Service()),
            std::vector<std::string>({"/shmrpc.golden.keywords.union/delete",
                                      "/shmrpc.golden.keywords.union/co_await",
                                      "/shmrpc.golden.keywords.union/NULL"}));
  EXPECT_EQ(NamesOf(NoPackageService::Service()),
            std::vector<std::string>({"/NoPackageService/Call"}));
  EXPECT_EQ(NamesOf(NoMethods::Service()), std::vector<std::string>());
}

// A method called AddMethod must not be what the constructor calls.
TEST(Generated, MethodsNamedLikeTheRuntimesOwnAreRegistered) {
  shmrpc::ServerContext::Service service;
  EXPECT_EQ(NamesOf(service).size(), 6u);
  EXPECT_EQ(NamesOf(service)[0],
            "/shmrpc.golden.shmrpc.ServerContext/AddMethod");
}

class LiteImpl final : public lite::Lite::Service {
 public:
  Status Call(ServerContext* context, const lite::Request* request,
              lite::Request* response) override {
    return Status(StatusCode::ABORTED, "lite");
  }
};

TEST(Generated, LiteMessagesServe) {
  LiteImpl service;
  const auto stub =
      lite::Lite::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext context;
  lite::Request response;
  const Status status = stub->Call(&context, lite::Request(), &response);
  EXPECT_EQ(status.error_code(), StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "lite");
}

TEST(Generated, StubInterfaceCanBeReplaced) {
  class FakeStub final : public lite::Lite::StubInterface {
   public:
    Status Call(ClientContext* context, const lite::Request& request,
                lite::Request* response) override {
      return Status(StatusCode::UNAVAILABLE, "fake");
    }
  };
  FakeStub fake;
  lite::Lite::StubInterface* const stub = &fake;
  lite::Request response;
  EXPECT_EQ(stub->Call(nullptr, lite::Request(), &response).error_message(),
            "fake");
}

TEST(Generated, ChannelLivesAsLongAsAStub) {
  TypesImpl service;
  auto channel = std::make_shared<DirectChannel>(&service);
  auto stub = types::Types::NewStub(channel);
  const std::weak_ptr<DirectChannel> watch = channel;
  channel.reset();
  EXPECT_FALSE(watch.expired());
  stub.reset();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace golden
}  // namespace shmrpc
