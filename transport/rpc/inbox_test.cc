#include "transport/rpc/inbox.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/layout.h"
#include "transport/memory/memory_account.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/mapping.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::BytesValue;
using link::MessageCost;
using memory::kWindowBytes;
using ::shmrpc::testing::ConnectionPair;
using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::TestSeed;
using ::shmrpc::testing::UniqueName;

ArrivedMessage OfSize(uint64_t size_bytes) {
  ArrivedMessage message;
  message.size_bytes = size_bytes;
  return message;
}

BytesValue Bytes(size_t count) {
  BytesValue message;
  message.set_value(std::string(count, '\xa5'));
  return message;
}

// A client that sends, and what the server does with it.
class InboxTest : public ::testing::Test {
 protected:
  // The message frame that arrives when the client sends `bytes`.
  link::Frame Arrive(const std::string& bytes,
                     absl::string_view metadata = "") {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameOpen;
    frame.has_message = true;
    frame.metadata = metadata;
    frame.message_bytes = bytes.size();
    EXPECT_TRUE(pair_.client()
                    .Send(frame,
                          [&](uint8_t* to) {
                            std::memcpy(to, bytes.data(), bytes.size());
                          })
                    .ok());
    link::Frame arrived;
    EXPECT_TRUE(pair_.server().Next(&arrived));
    return arrived;
  }
  // Blocks that the server has not given back.
  uint64_t LentBlocks() {
    link::Frame none;
    EXPECT_FALSE(pair_.client().Next(&none));
    return pair_.client().Undelivered();
  }

  ConnectionPair pair_;
};

TEST_F(InboxTest, SmallMessageOutlivesItsFrame) {
  const BytesValue sent = Bytes(100);
  ArrivedMessage kept;
  ASSERT_TRUE(KeepMessage(Arrive(sent.SerializeAsString(), "meta"), &kept));
  EXPECT_EQ(kept.size_bytes, sent.ByteSizeLong());
  Arrive(Bytes(7).SerializeAsString());
  std::memset(pair_.ring(memory::kServerSide, memory::kClientSide), 0xff,
              pair_.ring_size_bytes());
  BytesValue got;
  EXPECT_EQ(ParseArrived(kept, &pair_.server(), &got), ParseResult::kParsed);
  EXPECT_EQ(got.value(), sent.value());
}

TEST_F(InboxTest, EmptyMessageIsOne) {
  ArrivedMessage kept;
  ASSERT_TRUE(KeepMessage(Arrive(""), &kept));
  EXPECT_EQ(kept.size_bytes, 0u);
  BytesValue got = Bytes(5);
  EXPECT_EQ(ParseArrived(kept, &pair_.server(), &got), ParseResult::kParsed);
  EXPECT_EQ(got.value(), "");
}

TEST_F(InboxTest, LargeMessageStaysInItsBlockUntilParsed) {
  const BytesValue sent = Bytes(100000);
  ArrivedMessage kept;
  ASSERT_TRUE(KeepMessage(Arrive(sent.SerializeAsString(), "meta"), &kept));
  EXPECT_EQ(kept.size_bytes, sent.ByteSizeLong());
  EXPECT_EQ(kept.bytes, nullptr);
  EXPECT_EQ(LentBlocks(), 1u);
  BytesValue got;
  EXPECT_EQ(ParseArrived(kept, &pair_.server(), &got), ParseResult::kParsed);
  EXPECT_EQ(got.value(), sent.value());
  EXPECT_EQ(LentBlocks(), 0u);
}

TEST_F(InboxTest, MalformedMessageGivesItsBlockBackToo) {
  for (size_t size : {size_t{100}, size_t{100000}}) {
    ArrivedMessage kept;
    ASSERT_TRUE(KeepMessage(Arrive(std::string(size, '\x07')), &kept));
    BytesValue got;
    EXPECT_EQ(ParseArrived(kept, &pair_.server(), &got),
              ParseResult::kMalformed);
    EXPECT_EQ(LentBlocks(), 0u);
    EXPECT_FALSE(pair_.server().broken());
  }
}

TEST_F(InboxTest, DroppedMessageGivesItsBlockBack) {
  for (size_t size : {size_t{100}, size_t{100000}}) {
    ArrivedMessage kept;
    ASSERT_TRUE(KeepMessage(Arrive(std::string(size, 'x')), &kept));
    DropArrived(kept, &pair_.server());
    EXPECT_EQ(LentBlocks(), 0u);
  }
}

TEST_F(InboxTest, FaultWhileKeepingIsReported) {
  const link::Frame frame = Arrive(Bytes(100).SerializeAsString());
  MakeViewFault(pair_.name(), pair_.server().view());
  ArrivedMessage kept;
  EXPECT_FALSE(KeepMessage(frame, &kept));
}

TEST_F(InboxTest, FaultInABlockBreaksTheLink) {
  ArrivedMessage kept;
  ASSERT_TRUE(KeepMessage(Arrive(Bytes(100000).SerializeAsString()), &kept));
  // As if it lay in an object that still has a name to spoil it by.
  const platform::ObjectName name{platform::Scope::kLocal,
                                  UniqueName("shmrpc-test.inbox")};
  constexpr uint64_t kSize = 128 * 1024;
  auto segment = platform::NamedMapping::Create(name, kSize, {});
  ASSERT_TRUE(segment.ok()) << segment.status();
  auto view = segment->Map(0, kSize, platform::Access::kReadWrite);
  ASSERT_TRUE(view.ok()) << view.status();
  kept.block_view = std::make_shared<platform::View>(*std::move(view));
  kept.block_data = kept.block_view->data();
  MakeViewFault(name, *kept.block_view);
  BytesValue got;
  EXPECT_EQ(ParseArrived(kept, &pair_.server(), &got), ParseResult::kFaulted);
  EXPECT_TRUE(pair_.server().broken());
  EXPECT_EQ(pair_.server().status().code(), absl::StatusCode::kDataLoss);
}

bool Push(Inbox* inbox, ArrivedMessage message) {
  return inbox->Push(&message) == Inbox::Pushed::kKept;
}

TEST(Inbox, MessagesComeOutInOrder) {
  Inbox inbox;
  EXPECT_TRUE(inbox.empty());
  for (uint64_t size = 0; size < 10; ++size) {
    EXPECT_TRUE(Push(&inbox, OfSize(size)));
  }
  for (uint64_t size = 0; size < 10; ++size) {
    ASSERT_FALSE(inbox.empty());
    EXPECT_EQ(inbox.next_size_bytes(), size);
    uint32_t credit = 1;
    EXPECT_EQ(inbox.Pop(&credit).size_bytes, size);
    EXPECT_EQ(credit, 0u);
  }
  EXPECT_TRUE(inbox.empty());
}

TEST(Inbox, PushBeyondTheWindowKeepsNothing) {
  Inbox inbox;
  EXPECT_TRUE(Push(&inbox, OfSize(kWindowBytes - MessageCost(0) - 1)));
  EXPECT_TRUE(Push(&inbox, OfSize(5 * kWindowBytes)));
  EXPECT_FALSE(Push(&inbox, OfSize(0)));
  uint32_t credit = 0;
  EXPECT_FALSE(inbox.Pass(0, &credit));
  EXPECT_EQ(inbox.TakeAll().size(), 2u);
  EXPECT_TRUE(inbox.empty());
}

TEST(Inbox, AccountIsChargedForWhatIsUnread) {
  const auto account = std::make_shared<memory::MemoryAccount>(10000);
  {
    Inbox inbox;
    inbox.SetAccount(account);
    EXPECT_TRUE(Push(&inbox, OfSize(1000)));
    EXPECT_TRUE(Push(&inbox, OfSize(3000)));
    EXPECT_EQ(account->used_bytes(), MessageCost(1000) + MessageCost(3000));
    uint32_t credit = 0;
    inbox.Pop(&credit);
    EXPECT_EQ(account->used_bytes(), MessageCost(3000));
    EXPECT_TRUE(inbox.Pass(5000, &credit));
    EXPECT_EQ(account->used_bytes(), MessageCost(3000));
    EXPECT_EQ(inbox.TakeAll().size(), 1u);
    EXPECT_EQ(account->used_bytes(), 0u);
    EXPECT_TRUE(Push(&inbox, OfSize(3000)));
  }
  EXPECT_EQ(account->used_bytes(), 0u);
}

TEST(Inbox, MessageBeyondTheAccountStaysItsOwners) {
  Inbox inbox;
  inbox.SetAccount(std::make_shared<memory::MemoryAccount>(1000));
  ArrivedMessage message = OfSize(1000);
  message.bytes.reset(new uint8_t[1000]);
  EXPECT_EQ(inbox.Push(&message), Inbox::Pushed::kNoMemory);
  EXPECT_NE(message.bytes, nullptr);
  EXPECT_TRUE(inbox.empty());
}

TEST(Inbox, EmptyMessagesFillTheWindowToo) {
  Inbox inbox;
  uint64_t pushed = 0;
  while (Push(&inbox, OfSize(0))) ++pushed;
  EXPECT_EQ(pushed, kWindowBytes / memory::kMessageChargeBytes);
}

TEST(Inbox, PassedMessagesCountAsTaken) {
  Inbox inbox;
  uint32_t credit = 1;
  EXPECT_TRUE(inbox.Pass(100, &credit));
  EXPECT_EQ(credit, 0u);
  EXPECT_TRUE(inbox.Pass(kWindowBytes / 4, &credit));
  EXPECT_EQ(credit, MessageCost(100) + MessageCost(kWindowBytes / 4));
}

// Whatever is pushed, passed and popped, the sender has every byte back but
// for a quarter of the window.
TEST(Inbox, CreditIsWhatWasTaken) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  Inbox inbox;
  link::SendWindow sender;
  uint64_t taken = 0;
  uint64_t credited = 0;
  for (int step = 0; step < 20000; ++step) {
    const uint64_t size = random() % (kWindowBytes / 8);
    uint32_t credit = 0;
    if (random() % 2 == 0 && sender.open()) {
      sender.Charge(MessageCost(size));
      if (inbox.empty() && random() % 2 == 0) {
        ASSERT_TRUE(inbox.Pass(size, &credit));
        taken += MessageCost(size);
      } else {
        ASSERT_TRUE(Push(&inbox, OfSize(size)));
      }
    } else if (!inbox.empty()) {
      taken += MessageCost(inbox.Pop(&credit).size_bytes);
    }
    ASSERT_TRUE(sender.Credit(credit));
    credited += credit;
    ASSERT_LE(credited, taken);
    ASSERT_LT(taken - credited, kWindowBytes / 4);
    ASSERT_TRUE(sender.open() || !inbox.empty());
  }
  EXPECT_GT(credited, 10 * kWindowBytes);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
