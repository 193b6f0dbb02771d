// What generated stubs and services do, against a channel that calls the
// service in place: no transport takes part.

#include <memory>
#include <string>
#include <vector>

#include "codegen/testdata/clashes.shmrpc.pb.h"
#include "codegen/testdata/keywords.shmrpc.pb.h"
#include "codegen/testdata/lite.shmrpc.pb.h"
#include "codegen/testdata/namespaced.shmrpc.pb.h"
#include "codegen/testdata/no_methods.shmrpc.pb.h"
#include "codegen/testdata/no_package.shmrpc.pb.h"
#include "codegen/testdata/proto2.shmrpc.pb.h"
#include "codegen/testdata/types.shmrpc.pb.h"
#include "codegen/testing/direct_channel.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace golden {
namespace {

using codegen::testing::DirectChannel;
using codegen::testing::NamesOf;

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
  EXPECT_EQ(
      NamesOf(keywords::union_::Service()),
      std::vector<std::string>({"/shmrpc.golden.keywords.union/delete",
                                "/shmrpc.golden.keywords.union/co_await",
                                "/shmrpc.golden.keywords.union/NULL",
                                "/shmrpc.golden.keywords.union/new",
                                "/shmrpc.golden.keywords.union/try",
                                "/shmrpc.golden.keywords.union/register"}));
  EXPECT_EQ(NamesOf(NoPackageService::Service()),
            std::vector<std::string>(
                {"/NoPackageService/Call", "/NoPackageService/Chat"}));
  EXPECT_EQ(NamesOf(NoMethods::Service()), std::vector<std::string>());
}

// A method called AddMethod must not be what the constructor calls.
TEST(Generated, MethodsNamedLikeTheRuntimesOwnAreRegistered) {
  shmrpc::ServerContext::Service service;
  EXPECT_EQ(NamesOf(service).size(), 23u);
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

   private:
    ClientWriterInterface<lite::Request>* UpRaw(
        ClientContext* context, lite::Request* response) override {
      return nullptr;
    }
    ClientReaderInterface<lite::Request>* DownRaw(
        ClientContext* context, const lite::Request& request) override {
      return nullptr;
    }
    ClientReaderWriterInterface<lite::Request, lite::Request>* BothRaw(
        ClientContext* context) override {
      return nullptr;
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

class ClashesImpl final : public shmrpc::ServerContext::Service {
 public:
  ::shmrpc::Status Write(::shmrpc::ServerContext* context,
                         ServerReader<shmrpc::Stub>* reader,
                         shmrpc::Stub* response) override {
    return ::shmrpc::Status(StatusCode::ABORTED, "Write");
  }
  ::shmrpc::Status WriteRaw(::shmrpc::ServerContext* context,
                            const shmrpc::Stub* request,
                            shmrpc::Stub* response) override {
    return ::shmrpc::Status(StatusCode::ABORTED, "WriteRaw");
  }
  ::shmrpc::Status ChatRaw(::shmrpc::ServerContext* context,
                           const shmrpc::Stub* request,
                           ServerWriter<shmrpc::Stub>* writer) override {
    return ::shmrpc::Status(StatusCode::ABORTED, "ChatRaw");
  }
  ::shmrpc::Status StartStream(
      ::shmrpc::ServerContext* context,
      ServerReaderWriter<shmrpc::Stub, shmrpc::Stub>* stream) override {
    return ::shmrpc::Status(StatusCode::ABORTED, "StartStream");
  }
};

TEST(Generated, MethodNamedAsTheFunctionBesideAnotherIsItself) {
  const ClashesImpl service;
  const auto stub =
      shmrpc::ServerContext::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[4];
  shmrpc::Stub response;
  EXPECT_EQ(stub->Write(&contexts[0], &response)->Finish().error_message(),
            "Write");
  EXPECT_EQ(
      stub->WriteRaw(&contexts[1], shmrpc::Stub(), &response).error_message(),
      "WriteRaw");
  EXPECT_EQ(
      stub->ChatRaw(&contexts[2], shmrpc::Stub())->Finish().error_message(),
      "ChatRaw");
  EXPECT_EQ(stub->StartStream(&contexts[3])->Finish().error_message(),
            "StartStream");
}

TEST(Streamed, NamesThatClashInTheClassesAroundServe) {
  class Impl final
      : public shmrpc::ServerContext::WithStreamedUnaryMethod_channel<
            shmrpc::ServerContext::
                WithStreamedUnaryMethod_WithStreamedUnaryMethod_channel<
                    shmrpc::ServerContext::
                        WithSplitStreamingMethod_ReplaceMethod<
                            shmrpc::ServerContext::
                                WithSplitStreamingMethod_StreamedService<
                                    shmrpc::ServerContext::Service>>>> {
   public:
    ::shmrpc::Status Streamedchannel(
        ::shmrpc::ServerContext* context,
        ServerUnaryStreamer<shmrpc::Stub, shmrpc::Stub>* streamer) override {
      return ::shmrpc::Status(StatusCode::ABORTED, "channel");
    }
    ::shmrpc::Status StreamedWithStreamedUnaryMethod_channel(
        ::shmrpc::ServerContext* context,
        ServerUnaryStreamer<shmrpc::Stub, shmrpc::Stub>* streamer) override {
      return ::shmrpc::Status(StatusCode::ABORTED, "With");
    }
    ::shmrpc::Status StreamedReplaceMethod(
        ::shmrpc::ServerContext* context,
        ServerSplitStreamer<shmrpc::Stub, shmrpc::Stub>* streamer) override {
      return ::shmrpc::Status(StatusCode::ABORTED, "ReplaceMethod");
    }
    ::shmrpc::Status StreamedStreamedService(
        ::shmrpc::ServerContext* context,
        ServerSplitStreamer<shmrpc::Stub, shmrpc::Stub>* streamer) override {
      return ::shmrpc::Status(StatusCode::ABORTED, "StreamedService");
    }
  };
  const Impl service;
  const auto stub =
      shmrpc::ServerContext::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[4];
  shmrpc::Stub response;
  EXPECT_EQ(
      stub->channel(&contexts[0], shmrpc::Stub(), &response).error_message(),
      "channel");
  EXPECT_EQ(stub->WithStreamedUnaryMethod_channel(&contexts[1], shmrpc::Stub(),
                                                  &response)
                .error_message(),
            "With");
  EXPECT_EQ(stub->ReplaceMethod(&contexts[2], shmrpc::Stub())
                ->Finish()
                .error_message(),
            "ReplaceMethod");
  EXPECT_EQ(stub->StreamedService(&contexts[3], shmrpc::Stub())
                ->Finish()
                .error_message(),
            "StreamedService");
}

class KeywordsImpl final
    : public keywords::union_::WithStreamedUnaryMethod_delete_<
          keywords::union_::WithSplitStreamingMethod_try_<
              keywords::union_::Service>> {
 public:
  Status Streameddelete_(
      ServerContext* context,
      ServerUnaryStreamer<keywords::class_, keywords::class_>* streamer)
      override {
    return Status(StatusCode::ABORTED, "delete");
  }
  Status Streamedtry_(ServerContext* context,
                      ServerSplitStreamer<keywords::class_, keywords::class_>*
                          streamer) override {
    return Status(StatusCode::ABORTED, "try");
  }
  Status register_(
      ServerContext* context,
      ServerReaderWriter<keywords::class_, keywords::class_>* stream) override {
    return Status(StatusCode::ABORTED, "register");
  }
};

TEST(Generated, StreamingMethodsNamedByKeywordsServe) {
  const KeywordsImpl service;
  const auto stub =
      keywords::union_::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[3];
  keywords::class_ response;
  EXPECT_EQ(stub->delete_(&contexts[0], response, &response).error_message(),
            "delete");
  EXPECT_EQ(stub->try_(&contexts[1], response)->Finish().error_message(),
            "try");
  EXPECT_EQ(stub->register_(&contexts[2])->Finish().error_message(),
            "register");
}

class LiteStreams final : public lite::Lite::Service {
 public:
  Status Both(
      ServerContext* context,
      ServerReaderWriter<lite::Request, lite::Request>* stream) override {
    lite::Request request;
    while (stream->Read(&request)) stream->Write(request);
    return Status::OK;
  }
};

TEST(Generated, LiteMessagesStream) {
  const LiteStreams service;
  const auto stub =
      lite::Lite::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext context;
  const auto stream = stub->Both(&context);
  lite::Request message;
  message.set_number(9);
  EXPECT_TRUE(stream->Write(message));
  message.Clear();
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_EQ(message.number(), 9);
  EXPECT_TRUE(stream->Finish().ok());
}

class Proto2Impl final : public proto2::Proto2::Service {
 public:
  Status Down(ServerContext* context, const proto2::Request* request,
              ServerWriter<proto2::Request_Extra>* writer) override {
    writer->Write(request->extra());
    return Status::OK;
  }
};

TEST(Generated, Proto2MessagesStream) {
  const Proto2Impl service;
  const auto stub =
      proto2::Proto2::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext context;
  proto2::Request request;
  request.set_number(1);
  request.mutable_extra()->set_text("group");
  const auto reader = stub->Down(&context, request);
  proto2::Request_Extra extra;
  ASSERT_TRUE(reader->Read(&extra));
  EXPECT_EQ(extra.text(), "group");
  EXPECT_TRUE(reader->Finish().ok());
}

}  // namespace
}  // namespace golden
}  // namespace shmrpc
