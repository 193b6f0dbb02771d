#include "transport/rpc/message_io.h"

#include <cstdint>
#include <cstring>
#include <random>
#include <string>

#include "google/protobuf/struct.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/guard.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using google::protobuf::Struct;
using platform::NamedMapping;
using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::TestSeed;
using ::shmrpc::testing::UniqueName;

constexpr uint64_t kBytes = 128 * 1024;

// Param: copy before parsing.
class MessageIo : public ::testing::TestWithParam<bool> {
 protected:
  MessageIo() {
    auto mapping = NamedMapping::Create(name_, kBytes, {});
    EXPECT_TRUE(mapping.ok()) << mapping.status();
    mapping_ = *std::move(mapping);
    auto view = mapping_.Map(0, kBytes, platform::Access::kReadWrite);
    EXPECT_TRUE(view.ok()) << view.status();
    view_ = *std::move(view);
  }

  // Puts `bytes` into the mapping and parses them there.
  ParseResult Parse(const std::string& bytes, MessageLite* message) {
    std::memcpy(view_.data(), bytes.data(), bytes.size());
    return ParseMessage(view_, view_.data(), bytes.size(), GetParam(), message);
  }

  link::Frame FrameWithMetadata(uint32_t bytes) {
    link::Frame frame;
    frame.fields.metadata_bytes = bytes;
    frame.metadata = view_.data();
    frame.view = &view_;
    return frame;
  }

  const platform::ObjectName name_{platform::Scope::kLocal,
                                   UniqueName("shmrpc-test.message_io")};
  NamedMapping mapping_;
  platform::View view_;
};

Struct Nested() {
  Struct message;
  (*message.mutable_fields())["text"].set_string_value(std::string(100, 't'));
  auto* inner = (*message.mutable_fields())["inner"].mutable_struct_value();
  (*inner->mutable_fields())["list"]
      .mutable_list_value()
      ->add_values()
      ->set_number_value(7);
  return message;
}

TEST_P(MessageIo, WhatIsWrittenIsParsed) {
  const Struct message = Nested();
  const uint64_t size = message.ByteSizeLong();
  ASSERT_TRUE(
      platform::Guarded(view_, [&] { WriteMessage(message, view_.data()); }));
  Struct again;
  ASSERT_EQ(ParseMessage(view_, view_.data(), size, GetParam(), &again),
            ParseResult::kParsed);
  EXPECT_EQ(again.ByteSizeLong(), size);
  EXPECT_EQ(again.fields().at("inner").struct_value().fields_size(), 1);
}

TEST_P(MessageIo, ParsingReplacesWhatWasThere) {
  StringValue message;
  message.set_value("old");
  ASSERT_EQ(Parse("", &message), ParseResult::kParsed);
  EXPECT_EQ(message.value(), "");
  message.set_value("old");
  StringValue fresh;
  fresh.set_value("new");
  ASSERT_EQ(Parse(fresh.SerializeAsString(), &message), ParseResult::kParsed);
  EXPECT_EQ(message.value(), "new");
}

TEST_P(MessageIo, BytesThatAreNoMessageAreMalformed) {
  StringValue message;
  for (const std::string& bytes :
       {std::string("\x0a"),        // a length is missing
        std::string("\x0a\x05xx"),  // shorter than its length
        std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        std::string("\x07"),            // no such wire type
        std::string("\x0c"),            // a group that ends nothing
        std::string("\x0a\x01\xff"),    // not UTF-8
        std::string(20000, '\x0b')}) {  // groups without end
    EXPECT_EQ(Parse(bytes, &message), ParseResult::kMalformed);
    // Still a message.
    message.set_value("usable");
    EXPECT_EQ(message.value(), "usable");
  }
}

TEST_P(MessageIo, MoreThanProtobufAllowsIsMalformedUnread) {
  StringValue message;
  EXPECT_EQ(ParseMessage(view_, view_.data(), uint64_t{1} << 31, GetParam(),
                         &message),
            ParseResult::kMalformed);
  EXPECT_EQ(
      ParseMessage(view_, view_.data(), ~uint64_t{0}, GetParam(), &message),
      ParseResult::kMalformed);
}

TEST_P(MessageIo, RandomBytesParseOrDoNot) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  const std::string honest = Nested().SerializeAsString();
  int parsed = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = honest;
    for (uint64_t i = random() % 4; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    Struct message;
    const ParseResult result = Parse(bytes, &message);
    ASSERT_NE(result, ParseResult::kFaulted);
    parsed += result == ParseResult::kParsed;
    message.Clear();
  }
  EXPECT_GT(parsed, 100);
}

TEST_P(MessageIo, FaultWhileParsingIsReportedAndTheMessageStaysValid) {
  const std::string bytes = Nested().SerializeAsString();
  std::memcpy(view_.data(), bytes.data(), bytes.size());
  Struct message = Nested();
  MakeViewFault(name_, view_);
  EXPECT_EQ(
      ParseMessage(view_, view_.data(), bytes.size(), GetParam(), &message),
      ParseResult::kFaulted);
  message.Clear();
  (*message.mutable_fields())["again"].set_bool_value(true);
  EXPECT_EQ(message.fields_size(), 1);
}

TEST_P(MessageIo, MetadataIsCopied) {
  std::memcpy(view_.data(), "abcdef", 6);
  std::string bytes = "old and longer";
  ASSERT_TRUE(CopyMetadata(FrameWithMetadata(6), &bytes));
  EXPECT_EQ(bytes, "abcdef");
  ASSERT_TRUE(CopyMetadata(FrameWithMetadata(0), &bytes));
  EXPECT_EQ(bytes, "");
}

TEST_P(MessageIo, FaultWhileCopyingMetadataIsReported) {
  MakeViewFault(name_, view_);
  std::string bytes;
  EXPECT_FALSE(CopyMetadata(FrameWithMetadata(6), &bytes));
}

// A text and many numbers, longer than one piece of a copy, in which every
// length and tag crosses a border of pieces somewhere.
TEST_P(MessageIo, LongMessagesAreParsedWhole) {
  for (uint64_t text_bytes = 16 * 1024 - 40; text_bytes < 16 * 1024 + 40;
       ++text_bytes) {
    Struct message;
    (*message.mutable_fields())["a"].set_string_value(
        std::string(text_bytes, 'a'));
    for (int i = 0; i < 100; ++i) {
      (*message.mutable_fields())["list"]
          .mutable_list_value()
          ->add_values()
          ->set_number_value(i);
    }
    (*message.mutable_fields())["z"].set_string_value(
        std::string(3 * text_bytes / 2, 'z'));
    Struct again;
    ASSERT_EQ(Parse(message.SerializeAsString(), &again), ParseResult::kParsed);
    ASSERT_EQ(again.fields().at("a").string_value(),
              std::string(text_bytes, 'a'));
    ASSERT_EQ(again.fields().at("list").list_value().values_size(), 100);
    ASSERT_EQ(again.fields().at("z").string_value().size(), 3 * text_bytes / 2);
  }
}

TEST_P(MessageIo, LongBytesThatAreNoMessageAreMalformed) {
  StringValue message;
  const std::string bytes = [] {
    StringValue honest;
    honest.set_value(std::string(40000, 'x'));
    return honest.SerializeAsString();
  }();
  // Too short, and something behind it.
  EXPECT_EQ(Parse(bytes.substr(0, 39000), &message), ParseResult::kMalformed);
  EXPECT_EQ(Parse(bytes + "\x07", &message), ParseResult::kMalformed);
  EXPECT_EQ(Parse(bytes, &message), ParseResult::kParsed);
  EXPECT_EQ(message.value().size(), 40000u);
}

// Writes over the memory it is parsed from as soon as its parser is asked, and
// then parses as a StringValue.
class Spoiled final : public MessageLite {
 public:
  explicit Spoiled(const platform::View* view) : view_(view) {}

  const std::string& value() const { return inner_.value(); }

  std::string GetTypeName() const override { return "Spoiled"; }
  MessageLite* New(google::protobuf::Arena*) const override {
    return new Spoiled(view_);
  }
  void Clear() override { inner_.Clear(); }
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite& other) override {
    inner_.MergeFrom(static_cast<const Spoiled&>(other).inner_);
  }
  size_t ByteSizeLong() const override { return inner_.ByteSizeLong(); }
  int GetCachedSize() const override { return inner_.GetCachedSize(); }
  uint8_t* _InternalSerialize(
      uint8_t* to,
      google::protobuf::io::EpsCopyOutputStream* s) const override {
    return inner_._InternalSerialize(to, s);
  }
  const char* _InternalParse(
      const char* at, google::protobuf::internal::ParseContext* c) override {
    std::memset(view_->data(), 0x0b, view_->size_bytes());
    return inner_._InternalParse(at, c);
  }

 private:
  const platform::View* view_;
  StringValue inner_;
};

TEST_P(MessageIo, WhatIsWrittenAfterTheCopyIsNotParsed) {
  // Up to what is copied at a time.
  for (const size_t bytes : {size_t{100}, size_t{8000}, size_t{16000}}) {
    StringValue honest;
    honest.set_value(std::string(bytes, 'h'));
    Spoiled message(&view_);
    const ParseResult result = Parse(honest.SerializeAsString(), &message);
    if (GetParam()) {
      EXPECT_EQ(result, ParseResult::kParsed);
      EXPECT_EQ(message.value(), honest.value());
    } else {
      EXPECT_EQ(result, ParseResult::kMalformed);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Copy, MessageIo, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "CopiedFirst" : "InPlace";
                         });

}  // namespace
}  // namespace internal
}  // namespace shmrpc
