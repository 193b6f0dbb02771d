// The server's half of the handshake against clients that lie.

#include "transport/link/accept.h"

#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/config.h"
#include "gtest/gtest.h"
#include "shmrpc/version.h"
#include "transport/link/connect.h"
#include "transport/link/lobby.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace link {
namespace {

using memory::ConnectionHeader;
using memory::ConnectionPage;
using platform::NamedMapping;
using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

class FakeClient : public ::testing::Test {
 protected:
  explicit FakeClient(const platform::AccessPolicy& access = {}) {
    auto lobby = Lobby::Create({address_}, access);
    EXPECT_TRUE(lobby.ok()) << lobby.status();
    lobby_ = *std::move(lobby);
    acceptor_ =
        std::make_unique<Acceptor>(lobby_.get(), [this](Acceptor::Accepted a) {
          if (a.connection == nullptr) return absl::OkStatus();
          accepted_ = std::move(a);
          was_accepted_.set_value();
          return absl::OkStatus();
        });
  }

  // Makes a connection object as an honest client does, then lets `forge` spoil
  // its header, and offers it.
  void Offer(std::function<void(ConnectionHeader*)> forge,
             uint64_t object_bytes =
                 memory::ConnectionSizeBytes(memory::kRingSizeBytes)) {
    nonce_ = Nonce::Random();
    auto object =
        NamedMapping::Create(name(), object_bytes, {}, [&](uint8_t* data) {
          auto* header = reinterpret_cast<ConnectionHeader*>(data);
          header->layout_version = kLayoutVersion;
          header->header_bytes = sizeof(ConnectionHeader);
          header->client_pid = platform::CurrentProcess().pid;
          header->client_start_time = platform::CurrentProcess().start_time;
          header->ring_size_bytes = memory::kRingSizeBytes;
          header->total_size_bytes =
              memory::ConnectionSizeBytes(memory::kRingSizeBytes);
          header->client_clock_ns = platform::MonotonicNowNs();
          header->slots_nonce_low = lobby_->slots_nonce().low;
          header->magic = memory::kConnectionMagic;
          forge(header);
          return absl::OkStatus();
        });
    ASSERT_TRUE(object.ok()) << object.status();
    object_ = *std::move(object);
    auto view =
        object_.Map(0, object_.size_bytes(), platform::Access::kReadWrite);
    ASSERT_TRUE(view.ok()) << view.status();
    view_ = *std::move(view);
    auto event = platform::Event::Create(name().WithSuffix(".w"),
                                         &page()->client_wake.word, {});
    ASSERT_TRUE(event.ok()) << event.status();
    event_ = *std::move(event);
    PutIntoSlot();
  }

  void PutIntoSlot() {
    memory::AcceptSlot& slot = lobby_->slots()->slots[0];
    slot.nonce[0] = nonce_.high;
    slot.nonce[1] = nonce_.low;
    slot.state = static_cast<uint64_t>(platform::CurrentProcess().pid) << 32 |
                 memory::kSlotOffered;
    if (rings_) lobby_->accept_event()->Signal();
  }

  void ExpectRefused(memory::Refusal reason) {
    platform::Waiter waiter;
    while (page()->hello.state.load() == memory::kHelloPending) {
      waiter.Wait(&event_, platform::kNever);
    }
    EXPECT_EQ(page()->hello.state.load(), memory::kHelloRefused);
    EXPECT_EQ(page()->hello.refusal, reason);
    EXPECT_EQ(accepted_.connection, nullptr);
  }

  // The acceptor lives and takes an honest client.
  void ExpectStillServing() {
    auto honest = link::Connect(address_);
    EXPECT_TRUE(honest.ok()) << honest.status();
    was_accepted_.get_future().wait();
  }

  platform::ObjectName name() const {
    return ConnectionName(platform::Scope::kLocal, nonce_);
  }
  ConnectionPage* page() {
    return reinterpret_cast<ConnectionPage*>(view_.data());
  }

  Watchdog dog_{120, "acceptor"};
  const Address address_{platform::Scope::kLocal, UniqueName("test.accept")};
  bool rings_ = true;
  Nonce nonce_;
  NamedMapping object_;
  platform::View view_;
  platform::Event event_;
  std::unique_ptr<Lobby> lobby_;
  Acceptor::Accepted accepted_;
  // Not absl::Notification: ThreadSanitizer takes the first wait of a thread
  // for a race.
  std::promise<void> was_accepted_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(FakeClient, HonestHeaderIsAccepted) {
  Offer([](ConnectionHeader*) {});
  was_accepted_.get_future().wait();
  EXPECT_EQ(page()->hello.state.load(), memory::kHelloAccepted);
  EXPECT_EQ(accepted_.clock_offset_ns, 0);
}

// Of a server that lets in others, one of whom may have taken the ring.
class OpenLobby : public FakeClient {
 protected:
  OpenLobby() : FakeClient(Everybody()) {}
  static platform::AccessPolicy Everybody() {
    platform::AccessPolicy access;
    access.mode = 0666;              // Linux
    access.sddl = "D:(A;;GA;;;WD)";  // Windows
    return access;
  }
};

TEST_F(OpenLobby, OfferIsFoundThoughNobodyRings) {
  rings_ = false;
  Offer([](ConnectionHeader*) {});
  was_accepted_.get_future().wait();
  EXPECT_EQ(page()->hello.state.load(), memory::kHelloAccepted);
}

TEST_F(FakeClient, WrongMagicIsRefused) {
  Offer([](ConnectionHeader* h) { h->magic = 1; });
  ExpectRefused(memory::kRefusedHeader);
}

TEST_F(FakeClient, OtherLayoutVersionIsRefused) {
  Offer([](ConnectionHeader* h) { h->layout_version = kLayoutVersion + 1; });
  ExpectRefused(memory::kRefusedLayoutVersion);
}

TEST_F(FakeClient, RingSizesThatDoNotFitAreRefused) {
  Offer([](ConnectionHeader* h) { h->ring_size_bytes = 0; });
  ExpectRefused(memory::kRefusedHeader);
  Offer([](ConnectionHeader* h) { h->ring_size_bytes = 12345; });
  ExpectRefused(memory::kRefusedHeader);
  // Larger than the object, honestly summed up.
  Offer([](ConnectionHeader* h) {
    h->ring_size_bytes = memory::kMaxRingSizeBytes;
    h->total_size_bytes =
        memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes);
  });
  ExpectRefused(memory::kRefusedHeader);
  // Sizes whose sum wraps to the right total.
  Offer([](ConnectionHeader* h) { h->ring_size_bytes += uint64_t{1} << 63; });
  ExpectRefused(memory::kRefusedHeader);
  Offer([](ConnectionHeader* h) { h->total_size_bytes += 4096; });
  ExpectRefused(memory::kRefusedHeader);
}

TEST_F(FakeClient, ProcessThatDoesNotLiveIsRefused) {
  Offer([](ConnectionHeader* h) { ++h->client_start_time; });
  ExpectRefused(memory::kRefusedIdentity);
  Offer([](ConnectionHeader* h) { h->client_pid = 0x7ffffffc; });
  ExpectRefused(memory::kRefusedIdentity);
}

TEST_F(FakeClient, ObjectWithoutRoomForItsRingsIsRefused) {
  Offer([](ConnectionHeader*) {}, memory::kPage);
  ExpectRefused(memory::kRefusedHeader);
  ExpectStillServing();
}

TEST_F(FakeClient, KnockIsAnsweredWithAConnection) {
  Offer(
      [](ConnectionHeader* h) {
        h->ring_size_bytes = 0;
        h->total_size_bytes = memory::kPage;
      },
      memory::kPage);
  was_accepted_.get_future().wait();
  ASSERT_NE(accepted_.connection, nullptr);
  EXPECT_EQ(page()->hello.state.load(), memory::kHelloAccepted);
  const Nonce made = {page()->hello.connection_nonce[0],
                      page()->hello.connection_nonce[1]};
  EXPECT_EQ(accepted_.connection->name().name,
            ConnectionName(platform::Scope::kLocal, made).name);
  EXPECT_EQ(accepted_.connection->peer(), platform::CurrentProcess());
  EXPECT_TRUE(accepted_.connection->peer_trusted());
  EXPECT_FALSE(accepted_.connection->copy_before_parse());
  EXPECT_TRUE(accepted_.connection->HeldByClient());
}

TEST_F(FakeClient, KnockOfAnotherSizeThanItsOwnIsRefused) {
  Offer([](ConnectionHeader* h) { h->ring_size_bytes = 0; }, memory::kPage);
  ExpectRefused(memory::kRefusedHeader);
}

TEST_F(FakeClient, KnockThatWasGivenUpIsNotHandedOver) {
  Offer(
      [](ConnectionHeader* h) {
        h->ring_size_bytes = 0;
        h->total_size_bytes = memory::kPage;
        reinterpret_cast<ConnectionPage*>(h)->side[memory::kClientSide].closed =
            1;
      },
      memory::kPage);
  ExpectStillServing();
  // The honest one's.
  EXPECT_NE(page()->hello.state.load(), memory::kHelloPending);
  EXPECT_NE(accepted_.connection->name().name,
            ConnectionName(platform::Scope::kLocal,
                           {page()->hello.connection_nonce[0],
                            page()->hello.connection_nonce[1]})
                .name);
}

TEST_F(FakeClient, ServerThatShutsDownSaysSo) {
  acceptor_->RefuseAll();
  Offer([](ConnectionHeader*) {});
  ExpectRefused(memory::kRefusedShuttingDown);
}

TEST_F(FakeClient, TooLargeObjectIsIgnored) {
  Offer([](ConnectionHeader*) {},
        memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes) + 4096);
  ExpectStillServing();
  EXPECT_EQ(page()->hello.state.load(), memory::kHelloPending);
}

// Whoever sees its name can put it into any slots that it may write to. An
// answer would make its client believe that it had reached its server.
TEST_F(FakeClient, ConnectionForAnotherServerIsLeftAlone) {
  Offer([](ConnectionHeader* h) { ++h->slots_nonce_low; });
  ExpectStillServing();
  EXPECT_EQ(page()->hello.state.load(), memory::kHelloPending);
  EXPECT_TRUE(object_.Stands()) << "its own server cannot find it any more";
}

TEST_F(FakeClient, LargestObjectIsAccepted) {
  Offer(
      [](ConnectionHeader* h) {
        h->ring_size_bytes = memory::kMaxRingSizeBytes;
        h->total_size_bytes =
            memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes);
      },
      memory::ConnectionSizeBytes(memory::kMaxRingSizeBytes));
  was_accepted_.get_future().wait();
}

TEST_F(FakeClient, SmallestRingCarriesLargeReplies) {
  Offer([](ConnectionHeader* h) {
    h->ring_size_bytes = memory::kMinRingSizeBytes;
    h->total_size_bytes =
        memory::ConnectionSizeBytes(memory::kMinRingSizeBytes);
  });
  was_accepted_.get_future().wait();
  OutgoingFrame close;
  close.kind = memory::kFrameClose;
  close.has_message = true;
  close.message_bytes = kMaxInlineBytes;
  ASSERT_TRUE(accepted_.connection->Send(close, [](uint8_t*) {}).ok());
  const auto* ring = reinterpret_cast<const std::atomic<uint64_t>*>(
      view_.data() + memory::kPage + memory::kMinRingSizeBytes);
  EXPECT_NE(ring->load(), 0u) << "it waits in the backlog for ever";
}

TEST_F(FakeClient, ClockOfAnotherWorldGivesAnOffset) {
  Offer([](ConnectionHeader* h) { h->client_clock_ns += 3600000000000; });
  was_accepted_.get_future().wait();
  EXPECT_LT(accepted_.clock_offset_ns, -3500000000000);
}

TEST_F(FakeClient, LeastClockDoesNotOverflow) {
  Offer([](ConnectionHeader* h) {
    h->client_clock_ns = std::numeric_limits<int64_t>::min();
  });
  was_accepted_.get_future().wait();
  EXPECT_GT(accepted_.clock_offset_ns, 0);
}

TEST_F(FakeClient, GreatestClockDoesNotOverflow) {
  Offer([](ConnectionHeader* h) {
    h->client_clock_ns = std::numeric_limits<int64_t>::max();
  });
  was_accepted_.get_future().wait();
  EXPECT_LT(accepted_.clock_offset_ns, 0);
}

TEST_F(FakeClient, AcceptorSurvivesSlotsThatAreGone) {
#ifdef ABSL_HAVE_THREAD_SANITIZER
  GTEST_SKIP() << "a fault in an atomic operation hangs: see connection_test";
#endif
  MakeViewFault(
      SlotsName(platform::Scope::kLocal, ReadIdentity(address_)->slots_nonce),
      lobby_->slots_view());
  lobby_->accept_event()->Signal();
  // Ends, and does not spin: the fixture joins it.
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
