// Kinds of messages: proto2 with required fields, lite ones without reflection,
// and responses on an arena.

#include <memory>
#include <string>

#include "google/protobuf/arena.h"
#include "gtest/gtest.h"
#include "tests/calls/lite.shmrpc.pb.h"
#include "tests/calls/proto2.shmrpc.pb.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

using google::protobuf::Arena;

class Proto2ServiceImpl final : public Proto2Service::Service {
  Status Copy(ServerContext*, const Proto2Message* request,
              Proto2Message* reply) override {
    *reply = *request;
    if (request->text() == "leave id out") reply->clear_id();
    return Status::OK;
  }
};

class LiteServiceImpl final : public LiteService::Service {
  Status Copy(ServerContext*, const LiteMessage* request,
              LiteMessage* reply) override {
    *reply = *request;
    return Status::OK;
  }
};

SHMRPC_TEST_ROLE(kinds_server) {
  Proto2ServiceImpl proto2;
  LiteServiceImpl lite;
  ServerBuilder builder;
  builder.AddListeningPort(args.at(0), InsecureServerCredentials());
  builder.RegisterService(&proto2).RegisterService(&lite);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  SendLine(server == nullptr ? "failed" : "ready");
  std::string line;
  while (ReceiveLine(&line)) {
  }
  return server == nullptr ? 1 : 0;
}

class MessageKinds : public ::testing::Test {
 protected:
  MessageKinds()
      : target_(NewTarget()), server_(SpawnRole("kinds_server", {target_})) {
    EXPECT_EQ(server_.ReadLine(), "ready");
    const auto channel = NewChannel(target_);
    proto2_ = Proto2Service::NewStub(channel);
    lite_ = LiteService::NewStub(channel);
  }
  ~MessageKinds() override {
    server_.CloseStdin();
    EXPECT_TRUE(server_.Wait().ok());
  }

  Status Copy(const Proto2Message& request, Proto2Message* reply) {
    ClientContext context;
    return proto2_->Copy(&context, request, reply);
  }
  Status Copy(const LiteMessage& request, LiteMessage* reply) {
    ClientContext context;
    return lite_->Copy(&context, request, reply);
  }

  const std::string target_;
  Subprocess server_;
  std::unique_ptr<Proto2Service::Stub> proto2_;
  std::unique_ptr<LiteService::Stub> lite_;
};

constexpr size_t kSizes[] = {0, 100, 8 * 1024, 100000, 3000000};

Proto2Message Filled(size_t size_bytes) {
  Proto2Message message;
  message.set_id(7);
  message.add_parts(Pattern(size_bytes, 1));
  message.add_parts("two");
  message.mutable_place()->set_x(-1);
  (*message.mutable_counts())["one"] = 1;
  message.mutable_inner()->set_id(8);
  message.mutable_inner()->set_name("inner");
  message.set_number(0.5);
  message.SetExtension(remark, "extended");
  return message;
}

LiteMessage FilledLite(size_t size_bytes) {
  LiteMessage message;
  message.set_payload(Pattern(size_bytes, 2));
  message.add_names("first");
  message.add_names("");
  message.mutable_inner()->set_payload(Pattern(10, 3));
  return message;
}

TEST_F(MessageKinds, Proto2ComesBackWithAllItsFields) {
  for (size_t size : kSizes) {
    const Proto2Message request = Filled(size);
    Proto2Message reply;
    ASSERT_TRUE(IsOk(Copy(request, &reply)));
    EXPECT_EQ(reply.text(), "a default");
    EXPECT_FALSE(reply.has_text());
    EXPECT_EQ(reply.GetExtension(remark), "extended");
    EXPECT_TRUE(reply.SerializeAsString() == request.SerializeAsString());
  }
}

TEST_F(MessageKinds, Proto2RequestWithoutRequiredFieldIsInternal) {
  Proto2Message request;
  request.set_text("no id");
  Proto2Message reply;
  EXPECT_EQ(Copy(request, &reply).error_code(), INTERNAL);
  EXPECT_TRUE(IsOk(Copy(Filled(10), &reply)));
}

TEST_F(MessageKinds, Proto2ResponseWithoutRequiredFieldIsUnimplemented) {
  Proto2Message request = Filled(10);
  request.set_text("leave id out");
  Proto2Message reply;
  EXPECT_TRUE(Is(Copy(request, &reply), UNIMPLEMENTED,
                 "No message returned for unary request"));
  EXPECT_TRUE(IsOk(Copy(Filled(10), &reply)));
}

TEST_F(MessageKinds, LiteComesBackWithAllItsFields) {
  LiteMessage reply;
  for (size_t size : kSizes) {
    const LiteMessage request = FilledLite(size);
    ASSERT_TRUE(IsOk(Copy(request, &reply)));
    EXPECT_TRUE(reply.SerializeAsString() == request.SerializeAsString());
  }
}

TEST_F(MessageKinds, ResponseOnArenaIsFilledThere) {
  for (size_t size : kSizes) {
    Arena arena;
    auto* reply = Arena::CreateMessage<Proto2Message>(&arena);
    reply->set_text("replaced");
    const Proto2Message request = Filled(size);
    ASSERT_TRUE(IsOk(Copy(request, reply)));
    EXPECT_EQ(reply->GetArena(), &arena);
    EXPECT_TRUE(reply->SerializeAsString() == request.SerializeAsString());
    auto* lite = Arena::CreateMessage<LiteMessage>(&arena);
    ASSERT_TRUE(IsOk(Copy(FilledLite(size), lite)));
    EXPECT_EQ(lite->GetArena(), &arena);
    EXPECT_TRUE(lite->SerializeAsString() ==
                FilledLite(size).SerializeAsString());
  }
}

TEST_F(MessageKinds, RequestOnArenaIsSent) {
  Arena arena;
  auto* request = Arena::CreateMessage<Proto2Message>(&arena);
  *request = Filled(20000);
  for (int i = 0; i < 10; ++i) {
    auto* reply = Arena::CreateMessage<Proto2Message>(&arena);
    ASSERT_TRUE(IsOk(Copy(*request, reply)));
    EXPECT_TRUE(reply->SerializeAsString() == request->SerializeAsString());
  }
}

TEST_F(MessageKinds, FieldOfAMessageServesAsResponse) {
  Proto2Message outer = Filled(10);
  ASSERT_TRUE(IsOk(Copy(Filled(20000), outer.mutable_inner())));
  EXPECT_TRUE(outer.inner().SerializeAsString() ==
              Filled(20000).SerializeAsString());
  EXPECT_EQ(outer.id(), 7);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
