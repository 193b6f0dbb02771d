// Every rule of ValidateFrame, broken once.

#include "transport/link/frame.h"

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace link {
namespace {

using memory::kClientSide;
using memory::kServerSide;
using ::testing::HasSubstr;

constexpr uint32_t kHeader = sizeof(memory::FrameHeader);
constexpr uint8_t kMessage = memory::kFlagMessage;
constexpr uint8_t kBlock = memory::kFlagBlock;
constexpr uint8_t kLast = memory::kFlagLast;
constexpr uint8_t kInitial = memory::kFlagInitial;

// A frame with `body` bytes behind its header, `metadata` of them metadata.
FrameFields Fields(uint8_t kind, uint8_t flags, uint32_t body,
                   uint32_t metadata) {
  FrameFields fields;
  fields.kind = kind;
  fields.flags = flags;
  fields.record_bytes = kHeader + body;
  fields.metadata_bytes = metadata;
  return fields;
}

FrameFields Return(uint32_t body, uint32_t block) {
  FrameFields fields = Fields(memory::kFrameReturn, 0, body, body);
  fields.returned_block = block;
  return fields;
}

FrameFields Credit(uint32_t body, uint32_t bytes) {
  FrameFields fields = Fields(memory::kFrameCredit, 0, body, body);
  fields.aux = bytes;
  return fields;
}

void ExpectRefused(const FrameFields& fields, memory::Side sender,
                   const std::string& reason) {
  const absl::Status status = ValidateFrame(fields, sender);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss)
      << "kind " << int{fields.kind};
  EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
}

TEST(ValidateFrame, HonestFramesPass) {
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameBind, 0, 9, 9), kClientSide).ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameBind, kBlock, 24, 9000), kClientSide)
          .ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameOpen, kMessage, 0, 0), kClientSide)
          .ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameOpen, kMessage, 9, 4), kClientSide)
          .ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameOpen, kMessage | kBlock, 24, 4),
                    kClientSide)
          .ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameClose, 0, 0, 0), kServerSide).ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameClose, kMessage, 9, 9), kServerSide)
          .ok());
  EXPECT_TRUE(
      ValidateFrame(Fields(memory::kFrameCancel, 0, 0, 0), kClientSide).ok());
  for (memory::Side side : {kClientSide, kServerSide}) {
    EXPECT_TRUE(
        ValidateFrame(Fields(memory::kFrameSegment, 0, 32, 0), side).ok());
    EXPECT_TRUE(ValidateFrame(Return(0, 1), side).ok());
    EXPECT_TRUE(ValidateFrame(Credit(0, 1), side).ok());
    EXPECT_TRUE(ValidateFrame(Credit(0, UINT32_MAX), side).ok());
  }
}

TEST(ValidateFrame, HonestStreamsPass) {
  const struct {
    memory::FrameKind kind;
    memory::Side sender;
    uint8_t flags;
    uint32_t body;
    uint32_t metadata;
  } frames[] = {
      // A call without a first message, with one, and with all there will be.
      {memory::kFrameOpen, kClientSide, 0, 9, 9},
      {memory::kFrameOpen, kClientSide, kMessage, 9, 4},
      {memory::kFrameOpen, kClientSide, kMessage | kLast, 9, 4},
      {memory::kFrameOpen, kClientSide, kLast, 0, 0},
      {memory::kFrameOpen, kClientSide, kMessage | kBlock | kLast, 24, 4},
      {memory::kFrameMessage, kClientSide, kMessage, 0, 0},
      {memory::kFrameMessage, kClientSide, kMessage, 9, 0},
      {memory::kFrameMessage, kClientSide, kMessage | kLast, 9, 0},
      {memory::kFrameMessage, kClientSide, kMessage | kBlock | kLast, 24, 0},
      {memory::kFrameMessage, kClientSide, kLast, 0, 0},
      {memory::kFrameMessage, kServerSide, kMessage, 9, 0},
      {memory::kFrameMessage, kServerSide, kMessage | kBlock, 24, 0},
      {memory::kFrameMessage, kServerSide, kInitial, 0, 0},
      {memory::kFrameMessage, kServerSide, kInitial, 9, 9},
      {memory::kFrameMessage, kServerSide, kInitial | kBlock, 24, 9000},
      {memory::kFrameMessage, kServerSide, kInitial | kMessage, 9, 4},
      {memory::kFrameMessage, kServerSide, kInitial | kMessage | kBlock, 24,
       9000},
  };
  for (const auto& f : frames) {
    const absl::Status status =
        ValidateFrame(Fields(f.kind, f.flags, f.body, f.metadata), f.sender);
    EXPECT_TRUE(status.ok()) << status << ", flags " << int{f.flags};
  }
}

TEST(ValidateFrame, KindThatTheSideMayNotSendIsRefused) {
  for (uint8_t kind :
       {memory::kFrameBind, memory::kFrameOpen, memory::kFrameCancel}) {
    ExpectRefused(Fields(kind, 0, 0, 0), kServerSide,
                  "is not one the server may send");
  }
  ExpectRefused(Fields(memory::kFrameClose, 0, 0, 0), kClientSide,
                "frame kind 4 is not one the client may send");
}

TEST(ValidateFrame, UnknownKindIsRefused) {
  for (memory::Side side : {kClientSide, kServerSide}) {
    for (int kind : {0, 1, 12, 13, 128, 255}) {
      ExpectRefused(Fields(static_cast<uint8_t>(kind), 0, 0, 0), side,
                    "frame kind");
    }
  }
}

TEST(ValidateFrame, FlagTheKindDoesNotHaveIsRefused) {
  const struct {
    uint8_t kind;
    memory::Side sender;
    uint8_t allowed;
  } rules[] = {
      {memory::kFrameBind, kClientSide, kBlock},
      {memory::kFrameOpen, kClientSide, kMessage | kBlock | kLast},
      {memory::kFrameClose, kServerSide, kMessage | kBlock},
      {memory::kFrameCancel, kClientSide, 0},
      {memory::kFrameSegment, kClientSide, 0},
      {memory::kFrameReturn, kClientSide, 0},
      {memory::kFrameMessage, kClientSide, kMessage | kBlock | kLast},
      {memory::kFrameMessage, kServerSide, kMessage | kBlock | kInitial},
      {memory::kFrameCredit, kClientSide, 0},
      {memory::kFrameCredit, kServerSide, 0},
  };
  for (const auto& rule : rules) {
    for (int bit = 0; bit < 8; ++bit) {
      const uint8_t flag = static_cast<uint8_t>(1 << bit);
      if ((flag & rule.allowed) != 0) continue;
      ExpectRefused(Fields(rule.kind, flag, 0, 0), rule.sender,
                    "frame with flags");
    }
  }
}

TEST(ValidateFrame, BlockReferenceOfAnotherSizeIsRefused) {
  for (uint32_t body : {0u, 23u, 25u, 8000u}) {
    ExpectRefused(Fields(memory::kFrameOpen, kMessage | kBlock, body, 0),
                  kClientSide, "block reference");
  }
}

TEST(ValidateFrame, SegmentInfoOfAnotherSizeIsRefused) {
  for (uint32_t body : {0u, 31u, 33u}) {
    ExpectRefused(Fields(memory::kFrameSegment, 0, body, 0), kServerSide,
                  "segment frame");
  }
  ExpectRefused(Fields(memory::kFrameSegment, 0, 32, 8), kServerSide,
                "segment frame");
}

TEST(ValidateFrame, MoreMetadataThanBodyIsRefused) {
  ExpectRefused(Fields(memory::kFrameOpen, kMessage, 9, 10), kClientSide,
                "claims 10 bytes of metadata");
  ExpectRefused(Fields(memory::kFrameClose, 0, 0, memory::kMaxMetadataBytes),
                kServerSide, "claims");
}

TEST(ValidateFrame, MoreMetadataThanTheLimitIsRefused) {
  const struct {
    memory::FrameKind kind;
    memory::Side sender;
    uint8_t flags;
  } frames[] = {
      {memory::kFrameBind, kClientSide, kBlock},
      {memory::kFrameOpen, kClientSide, kMessage | kBlock},
      {memory::kFrameMessage, kServerSide, kInitial | kBlock},
      {memory::kFrameClose, kServerSide, kBlock},
  };
  for (const auto& f : frames) {
    EXPECT_TRUE(
        ValidateFrame(Fields(f.kind, f.flags, 24, memory::kMaxMetadataBytes),
                      f.sender)
            .ok());
    for (uint32_t bytes : {memory::kMaxMetadataBytes + 1, UINT32_MAX}) {
      ExpectRefused(Fields(f.kind, f.flags, 24, bytes), f.sender,
                    absl::StrCat("the limit is ", memory::kMaxMetadataBytes));
    }
  }
}

TEST(ValidateFrame, FlagOfTheOtherSideIsRefused) {
  ExpectRefused(Fields(memory::kFrameMessage, kMessage | kInitial, 0, 0),
                kClientSide, "message frame with flags 9 that are the other");
  ExpectRefused(Fields(memory::kFrameMessage, kMessage | kLast, 0, 0),
                kServerSide, "message frame with flags 5 that are the other");
}

TEST(ValidateFrame, MessageFrameThatSaysNothingIsRefused) {
  for (memory::Side side : {kClientSide, kServerSide}) {
    ExpectRefused(Fields(memory::kFrameMessage, 0, 0, 0), side, "says nothing");
    ExpectRefused(Fields(memory::kFrameMessage, kBlock, 24, 0), side,
                  "says nothing");
  }
}

TEST(ValidateFrame, MetadataThatIsNotTheInitialOneIsRefused) {
  ExpectRefused(Fields(memory::kFrameMessage, kMessage, 9, 4), kServerSide,
                "not the initial metadata");
  ExpectRefused(Fields(memory::kFrameMessage, kMessage, 9, 4), kClientSide,
                "not the initial metadata");
  ExpectRefused(Fields(memory::kFrameMessage, kLast, 4, 4), kClientSide,
                "not the initial metadata");
}

TEST(ValidateFrame, CreditThatGivesNothingOrHasABodyIsRefused) {
  for (memory::Side side : {kClientSide, kServerSide}) {
    ExpectRefused(Credit(0, 0), side, "credit frame of 0 bytes for 0 bytes");
    ExpectRefused(Credit(8, 64), side, "credit frame of 8 bytes");
  }
}

TEST(ValidateFrame, BytesLeftOverWithoutAMessageAreRefused) {
  ExpectRefused(Fields(memory::kFrameClose, 0, 9, 8), kServerSide,
                "1 bytes left over");
  ExpectRefused(Fields(memory::kFrameCancel, 0, 4, 0), kClientSide,
                "left over");
}

TEST(ValidateFrame, ReturnOfNothingIsRefused) {
  for (memory::Side side : {kClientSide, kServerSide}) {
    ExpectRefused(Return(0, 0), side, "return frame");
    ExpectRefused(Return(1, 1), side, "return frame");
  }
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
