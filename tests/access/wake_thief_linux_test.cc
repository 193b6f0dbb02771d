// An admitted user takes the wake-ups of a server that sleeps: he sleeps on the
// words that clients ring, by the dozen, and keeps clearing them.

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "tests/access/users_linux.h"
#include "tests/support/script.h"
#include "transport/link/address.h"
#include "transport/link/entrance.h"
#include "transport/memory/layout.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/wake_thieves_posix.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kThieves = 12;
constexpr int kMessages = 6;

link::Entrance::Ptr EntranceOf(const std::string& target) {
  return *link::Entrance::Find(*link::ParseAddress(target), "*");
}

// Arguments: target, user. Line: "ready". Ends when its stdin does.
SHMRPC_TEST_ROLE(wake_thief) {
  if (!Become(static_cast<uid_t>(std::atoi(args.at(1).c_str())), 0)) return 1;
  const link::Entrance::Ptr entrance = EntranceOf(args.at(0));
  memory::LobbySlots* const slots = entrance->slots();
  WakeThieves of_poller(&slots->poller_wake.word, kThieves);
  WakeThieves of_acceptor(&slots->accept_wake.word, kThieves);
  std::atomic<bool> stop{false};
  std::thread clears([&] {
    while (!stop) {
      slots->poller_wake.word = 0;
      slots->accept_wake.word = 0;
      std::this_thread::yield();
    }
  });
  SendLine("ready");
  for (std::string line; ReceiveLine(&line);) {
  }
  stop = true;
  clears.join();
  return 0;
}

class CountsMessages final : public Scripted::Service {
 public:
  Status Unary(ServerContext*, const Item*, Item*) override {
    return Status::OK;
  }
  Status ClientStream(ServerContext*, ServerReader<Item>* reader,
                      Item*) override {
    Item item;
    for (int i = 0; reader->Read(&item); ++i) arrived_[i].Notify();
    return Status::OK;
  }

  void Await(int message) const { arrived_[message].Wait(); }

 private:
  Notification arrived_[kMessages];
};

class WakeThief : public ::testing::Test {
 protected:
  ~WakeThief() override {
    if (!thief_.has_value()) return;
    thief_->CloseStdin();
    EXPECT_TRUE(thief_->Wait().ok());
  }

  void StartServer(const AccessControl& access) {
    ServerBuilder builder;
    builder.AddListeningPort(target_, InsecureServerCredentials());
    builder.RegisterService(&service_);
    builder.SetAccess(access);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  // One that admits others; then the thief is one, where this process may
  // become one.
  void StartOpenServer() {
    AccessControl access;
    access.mode = 0666;
    StartServer(access);
    if (geteuid() == 0) thief_user_ = kThirdUser;
  }
  void StartThief() {
    thief_ = SpawnRole("wake_thief", {target_, absl::StrCat(thief_user_)});
    ASSERT_EQ(thief_->ReadLine(), "ready");
  }
  std::unique_ptr<Scripted::Stub> NewStub() const {
    return Scripted::NewStub(
        CreateChannel(target_, InsecureChannelCredentials()));
  }
  void CallAndConnect() {
    for (int i = 0; i < 5; ++i) {
      const auto stub = NewStub();
      for (int j = 0; j < 5; ++j) {
        ClientContext context;
        Item response;
        EXPECT_TRUE(stub->Unary(&context, Item(), &response).ok());
      }
    }
  }

  Watchdog dog_{100, "a server whose wake-ups are taken"};
  const std::string target_ = "shm:" + UniqueName("access");
  CountsMessages service_;
  std::unique_ptr<Server> server_;
  uid_t thief_user_ = 0;  // this process's
  absl::optional<Subprocess> thief_;
};

// Nobody rings again for them.
TEST_F(WakeThief, MessagesOfAClientThatDoesNotWaitArrive) {
  StartOpenServer();
  const auto stub = NewStub();
  ClientContext context;
  Item response;
  const auto stream = stub->ClientStream(&context, &response);
  ASSERT_TRUE(stream->Write(ItemOf(10)));
  service_.Await(0);
  StartThief();
  const link::Entrance::Ptr entrance = EntranceOf(target_);
  for (int i = 1; i < kMessages; ++i) {
    // With a server that sleeps, behind the thieves from the second time on.
    while (SleepersOn(&entrance->slots()->poller_wake.word) < kThieves + 2) {
      std::this_thread::yield();
    }
    ASSERT_TRUE(stream->Write(ItemOf(10)));
    service_.Await(i);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(WakeThief, CallsAndConnectsGetThrough) {
  StartOpenServer();
  StartThief();
  CallAndConnect();
}

// By their rings alone: this server does not look by itself.
TEST_F(WakeThief, CallsAndConnectsToAServerOfOneUserGetThrough) {
  StartServer({});
  StartThief();
  CallAndConnect();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
