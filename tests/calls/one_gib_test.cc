// Messages of 1 GiB, and one just below protobuf's limit of 2 GiB, each in one
// direction at a time.

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr size_t kGiB = size_t{1} << 30;

Status Digest(const std::string& target, const DigestRequest& request,
              DigestReply* reply) {
  auto stub = Probe::NewStub(NewChannel(target));
  ClientContext context;
  return stub->Digest(&context, request, reply);
}

TEST(OneGib, RequestArrivesWhole) {
  ServerProcess server;
  DigestRequest request;
  request.set_payload(Pattern(kGiB, 1));
  DigestReply reply;
  ASSERT_TRUE(IsOk(Digest(server.target(), request, &reply)));
  EXPECT_EQ(reply.size_bytes(), static_cast<int64_t>(kGiB));
  EXPECT_EQ(reply.digest(), PatternDigest(request.payload()));
}

TEST(OneGib, ReplyArrivesWhole) {
  ServerProcess server;
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EchoRequest request;
  request.set_payload(Pattern(1000003, 2));
  request.set_reply_size_bytes(kGiB);
  EchoReply reply;
  ASSERT_TRUE(IsOk(Echo(stub.get(), request, &reply)));
  EXPECT_TRUE(reply.payload() == Repeated(request.payload(), kGiB));
}

TEST(OneGib, NearlyTwoGibArriveWhole) {
  ServerProcess server;
  DigestRequest request;
  request.set_payload(std::string(2 * kGiB - 100, 'x'));
  DigestReply reply;
  ASSERT_TRUE(IsOk(Digest(server.target(), request, &reply)));
  EXPECT_EQ(reply.size_bytes(), static_cast<int64_t>(2 * kGiB - 100));
}

TEST(OneGib, MoreThanProtobufAllowsIsRefusedBeforeItIsSent) {
  ServerProcess server;
  auto stub = EchoService::NewStub(NewChannel(server.target()));
  EchoRequest request;
  request.set_payload(std::string(kGiB, 'x'));
  request.set_text(std::string(kGiB, 'y'));
  EchoReply reply;
  const Status status = Echo(stub.get(), request, &reply);
  EXPECT_TRUE(Is(status, RESOURCE_EXHAUSTED,
                 "Sent message larger than max (" +
                     std::to_string(request.ByteSizeLong()) +
                     " vs. 2147483647)"));
  EXPECT_TRUE(EchoesBack(stub.get(), "goes on"));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
