// The handshake with both halves in one process, and the client's half against
// servers that refuse, stay silent or lie. Its counterpart: accept_test.cc.

#include "transport/link/connect.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/link/accept.h"
#include "transport/link/connection_object.h"
#include "transport/link/lobby.h"
#include "transport/memory/layout.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using memory::AcceptSlot;
using memory::ConnectionPage;
using platform::NamedMapping;
using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMillisecondNs = 1000 * 1000;
constexpr uint32_t kNoSuchPid = 0x7ffffffc;

uint64_t SlotState(uint32_t pid, uint32_t state) {
  return static_cast<uint64_t>(pid) << 32 | state;
}

class Handshake : public ::testing::Test {
 protected:
  explicit Handshake(platform::Scope scope = platform::Scope::kLocal)
      : address_{scope, UniqueName("test.connect")} {
    auto lobby = Lobby::Create({address_}, {});
    EXPECT_TRUE(lobby.ok()) << lobby.status();
    lobby_ = *std::move(lobby);
  }

  void StartAcceptor() {
    acceptor_ =
        std::make_unique<Acceptor>(lobby_.get(), [this](Acceptor::Accepted a) {
          if (a.connection == nullptr) return absl::OkStatus();
          absl::MutexLock lock(&mutex_);
          if (!verdict_.ok()) return verdict_;
          accepted_.push_back(std::move(a));
          more_accepted_.SignalAll();
          return absl::OkStatus();
        });
  }

  // The connection that was accepted as number `index`.
  Connection* Accepted(size_t index) {
    absl::MutexLock lock(&mutex_);
    while (accepted_.size() <= index) more_accepted_.Wait(&mutex_);
    return accepted_[index].connection.get();
  }

  absl::StatusOr<ClientLink> Connect(int64_t deadline_ns = platform::kNever) {
    ConnectOptions options;
    options.deadline_ns = deadline_ns;
    return link::Connect(address_, std::move(options));
  }

  AcceptSlot& slot(int index) { return lobby_->slots()->slots[index]; }

  void FillSlots(uint64_t state) {
    for (AcceptSlot& s : lobby_->slots()->slots) s.state = state;
  }

  Watchdog dog_{120, "handshake"};
  const Address address_;
  std::unique_ptr<Lobby> lobby_;
  absl::Mutex mutex_;
  absl::CondVar more_accepted_;
  absl::Status verdict_ ABSL_GUARDED_BY(mutex_);
  std::vector<Acceptor::Accepted> accepted_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(Handshake, FramesTravelBothWaysOnceConnected) {
  StartAcceptor();
  auto client = Connect();
  ASSERT_TRUE(client.ok()) << client.status();
  Connection* server = Accepted(0);
  EXPECT_TRUE(client->connection->peer() == platform::CurrentProcess());
  EXPECT_TRUE(server->peer() == platform::CurrentProcess());
  OutgoingFrame frame;
  frame.kind = memory::kFrameOpen;
  frame.call_id = 5;
  ASSERT_TRUE(client->connection->Send(frame).ok());
  frame.kind = memory::kFrameClose;
  frame.call_id = 6;
  ASSERT_TRUE(server->Send(frame).ok());
  Frame got;
  ASSERT_TRUE(server->Next(&got));
  EXPECT_EQ(got.fields.call_id, 5u);
  ASSERT_TRUE(client->connection->Next(&got));
  EXPECT_EQ(got.fields.call_id, 6u);
}

TEST_F(Handshake, EachEndHearsTheOtherRing) {
  StartAcceptor();
  auto client = Connect();
  ASSERT_TRUE(client.ok()) << client.status();
  platform::Waiter waiter;
  client->connection->RingPeer();
  EXPECT_EQ(waiter.Wait(lobby_->poller_event(), platform::kNever),
            platform::WaitResult::kSignaled);
  // The acceptor's own ring, if the client did not need it.
  waiter.Wait(&client->own_event, 0);
  Accepted(0)->RingPeer();
  EXPECT_EQ(waiter.Wait(&client->own_event, platform::kNever),
            platform::WaitResult::kSignaled);
}

TEST_F(Handshake, SameProcessHasTheSameClock) {
  StartAcceptor();
  ASSERT_TRUE(Connect().ok());
  Accepted(0);
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(accepted_[0].clock_offset_ns, 0);
}

TEST_F(Handshake, ManyThreadsConnectAtOnce) {
  StartAcceptor();
  constexpr int kThreads = 8;
  constexpr int kEach = 10;
  std::vector<std::thread> threads;
  std::atomic<int> connected{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) {
        auto client = Connect();
        EXPECT_TRUE(client.ok()) << client.status();
        connected += client.ok();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(connected, kThreads * kEach);
  Accepted(kThreads * kEach - 1);
}

TEST_F(Handshake, NothingKeepsANameAfterwards) {
  StartAcceptor();
  auto client = Connect();
  ASSERT_TRUE(client.ok()) << client.status();
  Accepted(0);
  EXPECT_THAT(Leftovers(client->connection->name().name), IsEmpty());
}

TEST_F(Handshake, ServerThatWillNotTakeItClosesIt) {
  {
    absl::MutexLock lock(&mutex_);
    verdict_ = absl::UnavailableError("no");
  }
  StartAcceptor();
  auto client = Connect();
  ASSERT_TRUE(client.ok()) << client.status();
  platform::Waiter waiter;
  while (!client->connection->PeerClosed()) {
    waiter.Wait(&client->own_event,
                platform::MonotonicNowNs() + 10 * kMillisecondNs);
  }
}

TEST_F(Handshake, SilentServerIsDeadlineExceededAndTheOfferIsTakenBack) {
  auto client = Connect(platform::MonotonicNowNs() + 20 * kMillisecondNs);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(client.status().message()),
              HasSubstr(address_.ToString()));
  EXPECT_EQ(slot(0).state.load(), uint64_t{memory::kSlotFree});
}

TEST_F(Handshake, CancelEndsItAndTheOfferIsTakenBack) {
  const auto cancel = std::make_shared<ConnectCancel>();
  ConnectOptions options;
  options.cancel = cancel;
  std::thread client([&] {
    const auto link = link::Connect(address_, options);
    EXPECT_EQ(link.status().code(), absl::StatusCode::kCancelled);
    EXPECT_THAT(std::string(link.status().message()),
                HasSubstr(address_.ToString()));
  });
  while (slot(0).state.load() == memory::kSlotFree) std::this_thread::yield();
  cancel->Cancel();
  client.join();
  EXPECT_EQ(slot(0).state.load(), uint64_t{memory::kSlotFree});
}

TEST_F(Handshake, CancelBeforeItBeginsEndsIt) {
  ConnectOptions options;
  options.cancel = std::make_shared<ConnectCancel>();
  options.cancel->Cancel();
  const auto link = link::Connect(address_, options);
  EXPECT_EQ(link.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(Handshake, DeadlineInThePastStillAnswers) {
  EXPECT_EQ(Connect(0).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(Handshake, OfferOfAnotherThreadIsNotTakenBack) {
  const uint64_t offered =
      SlotState(platform::CurrentProcess().pid, memory::kSlotOffered);
  std::thread client([&] {
    EXPECT_EQ(Connect(platform::MonotonicNowNs() + 50 * kMillisecondNs)
                  .status()
                  .code(),
              absl::StatusCode::kDeadlineExceeded);
  });
  while (slot(0).state.load() != offered) std::this_thread::yield();
  // As if the server had taken it, and another thread of ours had offered here.
  slot(0).nonce[0] = 1;
  slot(0).nonce[1] = 2;
  client.join();
  EXPECT_EQ(slot(0).state.load(), offered);
  EXPECT_EQ(slot(0).nonce[0].load(), 1u);
}

TEST_F(Handshake, AllSlotsTakenByTheLivingIsDeadlineExceeded) {
  const uint64_t claimed =
      SlotState(platform::CurrentProcess().pid, memory::kSlotClaimed);
  FillSlots(claimed);
  StartAcceptor();
  EXPECT_EQ(
      Connect(platform::MonotonicNowNs() + 20 * kMillisecondNs).status().code(),
      absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(slot(memory::kSlotCount - 1).state.load(), claimed);
}

TEST_F(Handshake, SlotsOfTheDeadAreFreed) {
  FillSlots(SlotState(kNoSuchPid, memory::kSlotClaimed));
  StartAcceptor();
  auto client = Connect();
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST_F(Handshake, GarbageInTheSlotsIsFreed) {
  FillSlots(SlotState(kNoSuchPid, 0xdeadbeef));
  StartAcceptor();
  auto client = Connect();
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST_F(Handshake, OffersOfNothingAreIgnored) {
  StartAcceptor();
  for (AcceptSlot& s : lobby_->slots()->slots) {
    s.nonce[0] = 1;
    s.nonce[1] = 2;
    s.state = SlotState(platform::CurrentProcess().pid, memory::kSlotOffered);
  }
  auto client = Connect();
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST_F(Handshake, ServerThatIsGoneIsNoticed) {
  EXPECT_FALSE(ServerGone(address_, platform::CurrentProcess()));
  platform::ProcessId other = platform::CurrentProcess();
  ++other.start_time;
  EXPECT_TRUE(ServerGone(address_, other)) << "another process has the name";
  lobby_.reset();
  EXPECT_TRUE(ServerGone(address_, platform::CurrentProcess()));
}

TEST_F(Handshake, NobodyListeningIsNotFound) {
  lobby_.reset();
  EXPECT_EQ(Connect().status().code(), absl::StatusCode::kNotFound);
}

// A server whose answers the test writes: takes the first offer and calls
// `answer` on its page.
class FakeServer : public Handshake {
 protected:
  using Handshake::Handshake;

  absl::Status ConnectTo(std::function<void(ConnectionPage*)> answer) {
    std::thread server([&] {
      platform::Waiter waiter;
      while (static_cast<uint32_t>(slot(0).state.load()) !=
             memory::kSlotOffered) {
        waiter.Wait(lobby_->accept_event(), platform::kNever);
      }
      platform::OpenOptions guest;
      guest.hold = false;
      const auto name =
          ConnectionName(address_.scope, {slot(0).nonce[0], slot(0).nonce[1]});
      auto object = NamedMapping::Open(name, guest);
      ASSERT_TRUE(object.ok()) << object.status();
      auto view =
          object->Map(0, object->size_bytes(), platform::Access::kReadWrite);
      ASSERT_TRUE(view.ok()) << view.status();
      answer(reinterpret_cast<ConnectionPage*>(view->data()));
    });
    auto client = Connect();
    server.join();
    return client.status();
  }
};

TEST_F(FakeServer, RefusalSaysWhy) {
  const std::pair<uint32_t, const char*> reasons[] = {
      {memory::kRefusedLayoutVersion, "another layout version"},
      {memory::kRefusedHeader, "header makes no sense"},
      {memory::kRefusedPidNamespace, "pid namespace"},
      {memory::kRefusedIdentity, "is not the one"},
      {memory::kRefusedNoMemory, "no memory"},
      {memory::kRefusedShuttingDown, "shutting down"},
      {memory::kRefusedNone, "unknown reason"},
      {0xdeadbeef, "unknown reason"},
  };
  for (const auto& reason : reasons) {
    const absl::Status status = ConnectTo([&](ConnectionPage* page) {
      page->hello.refusal = reason.first;
      page->hello.state = memory::kHelloRefused;
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason.second));
    EXPECT_THAT(std::string(status.message()), HasSubstr(address_.ToString()));
    slot(0).state = memory::kSlotFree;
  }
}

TEST_F(FakeServer, AnswerThatDoesNotExistIsARefusal) {
  const absl::Status status =
      ConnectTo([&](ConnectionPage* page) { page->hello.state = 77; });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

// Of all sessions, so it makes the connections.
class FakeMaker : public FakeServer {
 protected:
  FakeMaker() : FakeServer(platform::Scope::kGlobal) {}

  // With a header that the test has spoilt.
  absl::Status ConnectToMade(
      std::function<void(memory::ConnectionHeader*)> spoil) {
    const Nonce nonce = Nonce::Random();
    ConnectionShape shape;
    shape.client = platform::CurrentProcess();
    shape.slots_nonce = ReadIdentity(address_)->slots_nonce;
    auto made = CreateConnectionObject(ConnectionName(address_.scope, nonce),
                                       shape, {});
    EXPECT_TRUE(made.ok()) << made.status();
    spoil(&made->page()->header);
    const absl::Status status = ConnectTo([&](ConnectionPage* page) {
      page->hello.connection_nonce[0] = nonce.high;
      page->hello.connection_nonce[1] = nonce.low;
      page->hello.state = memory::kHelloAccepted;
    });
    slot(0).state = memory::kSlotFree;
    return status;
  }
};

TEST_F(FakeMaker, ConnectionWhoseHeaderLiesIsDataLoss) {
  using Header = memory::ConnectionHeader;
  EXPECT_TRUE(ConnectToMade([](Header*) {}).ok());
  const std::function<void(Header*)> lies[] = {
      [](Header* h) { h->magic = 1; },
      [](Header* h) { h->total_size_bytes *= 2; },
      [](Header* h) { h->ring_size_bytes += 1; },
      [](Header* h) { h->slots_nonce_low += 1; },
      [](Header* h) {
        h->ring_size_bytes = memory::kMaxRingSizeBytes;
        h->total_size_bytes =
            memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes);
      },
      // A knock.
      [](Header* h) {
        h->ring_size_bytes = 0;
        h->total_size_bytes = memory::ConnectionSizeBytes(0);
      },
  };
  for (const auto& lie : lies) {
    EXPECT_EQ(ConnectToMade(lie).code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
