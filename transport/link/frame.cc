#include "transport/link/frame.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace link {
namespace {

using memory::kClientSide;
using memory::kServerSide;

struct KindRule {
  const char* name;
  bool from[2];  // by memory::Side
  uint8_t allowed_flags;
};

// By kind.
constexpr KindRule kRules[] = {
    {"no", {false, false}, 0},
    {"padding", {false, false}, 0},  // the ring's own
    {"bind", {true, false}, memory::kFlagBlock},
    {"open",
     {true, false},
     memory::kFlagMessage | memory::kFlagBlock | memory::kFlagLast},
    {"close", {false, true}, memory::kFlagMessage | memory::kFlagBlock},
    {"cancel", {true, false}, 0},
    {"segment", {true, true}, 0},
    {"return", {true, true}, 0},
    {"message",
     {true, true},
     memory::kFlagMessage | memory::kFlagBlock | memory::kFlagLast |
         memory::kFlagInitial},
    {"credit", {true, true}, 0},
    {"refuse", {true, true}, 0},
    {"drop", {true, true}, 0},
};
constexpr size_t kKinds = sizeof(kRules) / sizeof(kRules[0]);
static_assert(memory::kFramePad == 1 && memory::kFrameBind == 2 &&
                  memory::kFrameOpen == 3 && memory::kFrameClose == 4 &&
                  memory::kFrameCancel == 5 && memory::kFrameSegment == 6 &&
                  memory::kFrameReturn == 7 && memory::kFrameMessage == 8 &&
                  memory::kFrameCredit == 9 && memory::kFrameRefuse == 10 &&
                  memory::kFrameDrop == 11 && kKinds == 12 &&
                  kClientSide == 0 && kServerSide == 1,
              "the table is by kind");

}  // namespace

absl::Status ValidateFrame(const FrameFields& fields, memory::Side sender) {
  const KindRule* const rule = &kRules[fields.kind < kKinds ? fields.kind : 0];
  if (!rule->from[sender]) {
    return absl::DataLossError(
        absl::StrCat("frame kind ", fields.kind, " is not one the ",
                     sender == kClientSide ? "client" : "server", " may send"));
  }
  if ((fields.flags & ~rule->allowed_flags) != 0) {
    return absl::DataLossError(
        absl::StrCat(rule->name, " frame with flags ", fields.flags));
  }
  const uint8_t not_this_side =
      sender == kClientSide ? memory::kFlagInitial : memory::kFlagLast;
  if ((fields.flags & not_this_side) != 0) {
    return absl::DataLossError(absl::StrCat(rule->name, " frame with flags ",
                                            fields.flags,
                                            " that are the other side's"));
  }
  if (fields.metadata_bytes > memory::kMaxMetadataBytes) {
    return absl::DataLossError(absl::StrCat(
        rule->name, " frame with ", fields.metadata_bytes,
        " bytes of metadata; the limit is ", memory::kMaxMetadataBytes));
  }
  if (fields.kind == memory::kFrameMessage) {
    // One that says nothing could be repeated without end.
    if ((fields.flags & ~memory::kFlagBlock) == 0) {
      return absl::DataLossError("message frame that says nothing");
    }
    if (fields.metadata_bytes != 0 &&
        (fields.flags & memory::kFlagInitial) == 0) {
      return absl::DataLossError(
          "message frame with metadata that is not the initial metadata");
    }
  }
  const uint64_t body = fields.record_bytes - sizeof(memory::FrameHeader);
  if (fields.kind == memory::kFrameCredit && (fields.aux == 0 || body != 0)) {
    return absl::DataLossError(absl::StrCat(
        "credit frame of ", body, " bytes for ", fields.aux, " bytes"));
  }
  if ((fields.kind == memory::kFrameRefuse ||
       fields.kind == memory::kFrameDrop) &&
      body != 0) {
    return absl::DataLossError(
        absl::StrCat(rule->name, " frame with ", body, " bytes"));
  }
  if (fields.kind == memory::kFrameReturn &&
      (fields.returned_block == 0 || body != 0)) {
    // One that returns nothing could be repeated without end.
    return absl::DataLossError(absl::StrCat(
        "return frame of ", body, " bytes with block ", fields.returned_block));
  }
  if ((fields.flags & memory::kFlagBlock) != 0) {
    if (body != sizeof(memory::BlockRef)) {
      return absl::DataLossError(absl::StrCat(
          rule->name, " frame with a block reference of ", body, " bytes"));
    }
  } else if (fields.kind == memory::kFrameSegment) {
    if (body != sizeof(memory::SegmentInfo) || fields.metadata_bytes != 0) {
      return absl::DataLossError(
          absl::StrCat("segment frame with ", body, " bytes"));
    }
  } else if (fields.metadata_bytes > body) {
    return absl::DataLossError(
        absl::StrCat(rule->name, " frame of ", body, " bytes claims ",
                     fields.metadata_bytes, " bytes of metadata"));
  } else if ((fields.flags & memory::kFlagMessage) == 0 &&
             fields.metadata_bytes != body) {
    return absl::DataLossError(
        absl::StrCat(rule->name, " frame without a message has ",
                     body - fields.metadata_bytes, " bytes left over"));
  }
  return absl::OkStatus();
}

}  // namespace link
}  // namespace shmrpc
