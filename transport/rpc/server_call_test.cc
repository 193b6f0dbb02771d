// What a finished call keeps for the next one, seen frame by frame.

#include "transport/rpc/server_call.h"

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/generated.h"
#include "shmrpc/server_context.h"
#include "transport/link/accept.h"
#include "transport/link/address.h"
#include "transport/link/lobby.h"
#include "transport/memory/layout.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/server_connection.h"
#include "transport/rpc/testing/hand_made_client.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using ::shmrpc::testing::HandMadeClient;
using ::shmrpc::testing::MetadataPair;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

// Answers with as many bytes of metadata, of either kind, as the request says.
class Service final : public ::shmrpc::Service {
 public:
  Service() {
    AddMethod(MakeMethodHandler("/test.S/Unary", &Service::Unary, this));
  }

 private:
  Status Unary(ServerContext* context, const StringValue* request,
               StringValue*) {
    const std::string value(std::stoul(request->value()), 'v');
    context->AddInitialMetadata("initial", value);
    context->AddTrailingMetadata("trailing", value);
    return Status();
  }
};

class ServerCallTest : public ::testing::Test {
 protected:
  ServerCallTest() {
    core_.max_receive_bytes = -1;
    EXPECT_TRUE(core_.methods.AddService(service_).ok());
    auto lobby = link::Lobby::Create({address_}, {});
    EXPECT_TRUE(lobby.ok()) << lobby.status();
    lobby_ = *std::move(lobby);
    std::promise<link::Acceptor::Accepted> accepted;
    link::Acceptor acceptor(lobby_.get(), [&](link::Acceptor::Accepted a) {
      if (a.connection != nullptr) accepted.set_value(std::move(a));
      return absl::OkStatus();
    });
    client_ = std::make_unique<HandMadeClient>(address_);
    connection_ =
        std::make_shared<ServerConnection>(&core_, accepted.get_future().get());
  }

  // The call that the client has opened.
  std::unique_ptr<ServerCall> Take() {
    link::Frame frame;
    for (;;) {
      while (!connection_->link().Next(&frame)) std::this_thread::yield();
      auto call = connection_->Take(frame);
      if (call != nullptr) return call;
    }
  }

  // Returns the room for metadata that it had when it was run.
  size_t RunAndFinish(std::unique_ptr<ServerCall> call) {
    bool rang = false;
    call->Run();
    const size_t capacity = call->metadata_capacity();
    call->Reply(/*max_send_bytes=*/-1, &rang);
    core_.EndCall();
    connection_->Finish(std::move(call));
    return capacity;
  }

  Watchdog dog_{60, "server call"};
  const link::Address address_{platform::Scope::kLocal,
                               UniqueName("test.call")};
  Service service_;
  ServerCore core_;
  std::unique_ptr<link::Lobby> lobby_;
  std::unique_ptr<HandMadeClient> client_;
  std::shared_ptr<ServerConnection> connection_;
};

TEST_F(ServerCallTest, LargeMetadataGoesWithItsCall) {
  constexpr size_t kLarge = 100 * 1000;
  client_->OpenWith(1, HandMadeClient::kUnary, std::to_string(kLarge), true,
                    MetadataPair("client", std::string(kLarge, 'v')));
  auto call = Take();
  const ServerCall* const first = call.get();
  EXPECT_GT(RunAndFinish(std::move(call)), kLarge);

  client_->OpenWith(2, HandMadeClient::kUnary, "0");
  call = Take();
  // Used again, with room for three small ones at most.
  ASSERT_EQ(call.get(), first);
  EXPECT_LE(call->metadata_capacity(), 3 * 4096u);
  RunAndFinish(std::move(call));
}

TEST_F(ServerCallTest, RoomForSmallMetadataIsKept) {
  client_->OpenWith(1, HandMadeClient::kUnary, "1000", true,
                    MetadataPair("client", std::string(1000, 'v')));
  RunAndFinish(Take());
  client_->OpenWith(2, HandMadeClient::kUnary, "0");
  auto call = Take();
  EXPECT_GT(call->metadata_capacity(), 1000u);
  RunAndFinish(std::move(call));
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
