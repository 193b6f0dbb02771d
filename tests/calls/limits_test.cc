// Limits of message sizes, on both sides and in both directions, with gRPC's
// words.

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kDefault = 4194304;

ServerSettings Limits(int max_receive_bytes, int max_send_bytes) {
  ServerSettings settings;
  settings.max_receive_bytes = max_receive_bytes;
  settings.max_send_bytes = max_send_bytes;
  return settings;
}

std::unique_ptr<EchoService::Stub> Stub(const std::string& target,
                                        const ChannelArguments& arguments) {
  return EchoService::NewStub(
      CreateCustomChannel(target, InsecureChannelCredentials(), arguments));
}

// Of exactly so many bytes as a message.
EchoRequest RequestOf(int size_bytes) {
  EchoRequest request;
  request.set_payload(Pattern(size_bytes, 1));
  const int extra = static_cast<int>(request.ByteSizeLong()) - size_bytes;
  request.set_payload(Pattern(size_bytes - extra, 1));
  EXPECT_EQ(request.ByteSizeLong(), static_cast<size_t>(size_bytes));
  return request;
}

std::string Received(int64_t size_bytes, int limit_bytes) {
  return "Received message larger than max (" + std::to_string(size_bytes) +
         " vs. " + std::to_string(limit_bytes) + ")";
}

std::string Sent(int64_t size_bytes, int limit_bytes) {
  return "Sent message larger than max (" + std::to_string(size_bytes) +
         " vs. " + std::to_string(limit_bytes) + ")";
}

// What the server answers to `request`, in bytes.
int ReplyBytes(const std::string& target, const EchoRequest& request) {
  EchoReply reply;
  auto stub = EchoService::NewStub(NewChannel(target));
  EXPECT_TRUE(IsOk(Echo(stub.get(), request, &reply)));
  return static_cast<int>(reply.ByteSizeLong());
}

TEST(ReceiveLimit, OfServerHoldsToTheByte) {
  for (int limit : {10, 100, 8 * 1024, 100000, kDefault}) {
    ServerProcess server(Limits(limit, -1));
    auto stub = EchoService::NewStub(NewChannel(server.target()));
    EchoReply reply;
    EXPECT_TRUE(IsOk(Echo(stub.get(), RequestOf(limit), &reply)));
    reply.set_text("untouched");
    EXPECT_TRUE(Is(Echo(stub.get(), RequestOf(limit + 1), &reply),
                   RESOURCE_EXHAUSTED, Received(limit + 1, limit)));
    EXPECT_EQ(reply.text(), "untouched");
    EXPECT_TRUE(EchoesBack(stub.get(), "ok"));
  }
}

TEST(ReceiveLimit, OfServerIs4MiBByDefault) {
  ServerProcess server(Limits(kDefaultMaxReceiveMessageBytes, -1));
  EXPECT_EQ(kDefaultMaxReceiveMessageBytes, kDefault);
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EchoReply reply;
  EXPECT_TRUE(Is(Echo(stub.get(), RequestOf(5000000), &reply),
                 RESOURCE_EXHAUSTED, Received(5000000, kDefault)));
}

TEST(ReceiveLimit, OfClientHoldsToTheByte) {
  ServerProcess server;
  for (int size : {60, 5000, 8 * 1024, 100000, kDefault}) {
    EchoRequest request;
    request.set_reply_size_bytes(size);
    const int bytes = ReplyBytes(server.target(), request);
    ChannelArguments enough, too_small;
    enough.SetMaxReceiveMessageSize(bytes);
    too_small.SetMaxReceiveMessageSize(bytes - 1);
    EchoReply reply;
    EXPECT_TRUE(
        IsOk(Echo(Stub(server.target(), enough).get(), request, &reply)));
    reply.Clear();
    reply.set_text("untouched");
    auto stub = Stub(server.target(), too_small);
    // The peer's text has the same length on every connection of this process.
    EXPECT_TRUE(Is(Echo(stub.get(), request, &reply), RESOURCE_EXHAUSTED,
                   Received(bytes, bytes - 1)));
    EXPECT_EQ(reply.text(), "untouched");
  }
}

TEST(ReceiveLimit, OfClientIs4MiBByDefault) {
  ServerProcess server;
  auto stub = EchoService::NewStub(
      CreateChannel(server.target(), InsecureChannelCredentials()));
  EchoRequest request;
  request.set_reply_size_bytes(5000000);
  const int bytes = ReplyBytes(server.target(), request);
  EchoReply reply;
  EXPECT_TRUE(Is(Echo(stub.get(), request, &reply), RESOURCE_EXHAUSTED,
                 Received(bytes, kDefault)));
  EXPECT_TRUE(EchoesBack(stub.get(), "ok"));
}

TEST(ReceiveLimit, ExceededAgainAndAgainCostsNoMemory) {
  ServerProcess server(Limits(1000, -1));
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  const EchoRequest request = RequestOf(1 << 20);
  for (int i = 0; i < 300; ++i) {  // 300 MiB, if none were given back
    EchoReply reply;
    ASSERT_TRUE(Is(Echo(stub.get(), request, &reply), RESOURCE_EXHAUSTED,
                   Received(1 << 20, 1000)));
  }
}

TEST(SendLimit, OfClientHoldsToTheByte) {
  ServerProcess server;
  for (int limit : {10, 100, 8 * 1024, 100000}) {
    ChannelArguments arguments;
    arguments.SetMaxSendMessageSize(limit);
    auto stub = Stub(server.target(), arguments);
    EchoReply reply;
    EXPECT_TRUE(IsOk(Echo(stub.get(), RequestOf(limit), &reply)));
    EXPECT_TRUE(Is(Echo(stub.get(), RequestOf(limit + 1), &reply),
                   RESOURCE_EXHAUSTED, Sent(limit + 1, limit)));
    EXPECT_TRUE(EchoesBack(stub.get(), "ok"));
  }
}

TEST(SendLimit, OfServerHoldsToTheByte) {
  ServerProcess unlimited;
  for (int size : {100, 5000, 8 * 1024, 100000}) {
    FailRequest request;
    request.set_reply_size_bytes(size);
    FailReply reply;
    {
      auto stub = Probe::NewStub(NewChannel(unlimited.target()));
      ClientContext context;
      ASSERT_TRUE(IsOk(stub->Fail(&context, request, &reply)));
    }
    const int bytes = static_cast<int>(reply.ByteSizeLong());
    for (int limit : {bytes, bytes - 1}) {
      ServerProcess server(Limits(-1, limit));
      auto stub = Probe::NewStub(NewChannel(server.target()));
      ClientContext context;
      const Status status = stub->Fail(&context, request, &reply);
      EXPECT_TRUE(limit == bytes
                      ? IsOk(status)
                      : Is(status, RESOURCE_EXHAUSTED, Sent(bytes, limit)));
    }
  }
}

TEST(SendLimit, IsNoneByDefault) {
  EXPECT_EQ(ChannelArguments().max_send_message_size(), -1);
}

TEST(Limits, OfZeroAllowsOnlyEmptyMessages) {
  ServerProcess server(Limits(0, -1));
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EchoReply reply;
  EXPECT_TRUE(IsOk(Echo(stub.get(), EchoRequest(), &reply)));
  EXPECT_TRUE(Is(Echo(stub.get(), RequestOf(3), &reply), RESOURCE_EXHAUSTED,
                 Received(3, 0)));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
