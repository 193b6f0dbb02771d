// Frames and layouts: a peer that writes anything into its rings, its side of
// the control page and its arena segments, as a victim's Connection reads them.
//
// Whatever it writes, each frame handed up lies within a view of the victim's,
// every call returns, and the worst outcome is a broken connection that says
// why. A victim that has said nothing wrong is not broken for another reason.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/fuzz.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/arena.h"
#include "transport/platform/guard.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace testing {
namespace {

using link::Connection;
using link::Frame;
using link::OutgoingFrame;
using memory::BlockRef;
using memory::FrameHeader;
using memory::Side;

constexpr uint64_t kSegmentBytes = 64 * 1024;

class HostilePeer {
 public:
  explicit HostilePeer(FuzzInput* input)
      : input_(*input),
        side_(input->Below(2) == 0 ? memory::kClientSide : memory::kServerSide),
        by_hand_(input->Below(4) != 0),
        pair_(memory::kMinRingSizeBytes),
        victim_(pair_.side(side_ == memory::kClientSide ? memory::kServerSide
                                                        : memory::kClientSide)),
        ring_(pair_.ring(side_, side_)) {}

  void Step() {
    switch (input_.Below(16)) {
      default:
        if (by_hand_) {
          Record();
        } else {
          HonestSend(&pair_.side(side_), side_);
        }
        break;
      case 6:
        Scribble();
        break;
      case 7:
        Mark();
        break;
      case 8:
        Consumed();
        break;
      case 9:
      case 10:
        HonestSend(&victim_, side_ == memory::kClientSide
                                 ? memory::kServerSide
                                 : memory::kClientSide);
        break;
      case 11:
        Segment();
        break;
      case 12:
        victim_.GiveBackBlock(input_.Below(256));
        break;
      case 13:
      case 14:
      case 15:
        Turn();
        break;
    }
  }

  void Turn() {
    Frame frame;
    for (int i = 0; i < 64 && victim_.Next(&frame); ++i) Read(frame);
    victim_.Flush();
    victim_.Park();
    victim_.HasRecord();
    victim_.HasNews();
    victim_.PeerClosed();
    victim_.MarkIsUp();
    victim_.Unpark();
    victim_.Undelivered();
  }

  void CheckOutcome() {
    if (!victim_.broken()) return;
    const absl::Status status = victim_.status();
    // NOT_FOUND, INVALID_ARGUMENT: of a segment that is not there or is empty.
    FuzzCheck(absl::IsDataLoss(status) || absl::IsNotFound(status) ||
                  absl::IsInvalidArgument(status),
              absl::StrCat("broken with ", status.ToString()));
    FuzzCheck(!status.message().empty(), "broken without a reason");
  }

  bool broken() const { return victim_.broken(); }

 private:
  template <class T>
  void Store(uint8_t* to, T value) {
    memcpy(to, &value, sizeof(value));
    CountMutations(1);
  }

  // A record where the victim will look next, if it takes all before it.
  void Record() {
    static constexpr uint8_t kOfClient[] = {
        memory::kFrameOpen,   memory::kFrameMessage, memory::kFrameBind,
        memory::kFrameCredit, memory::kFrameCancel,  memory::kFrameReturn,
        memory::kFrameSegment};
    static constexpr uint8_t kOfServer[] = {
        memory::kFrameClose,  memory::kFrameMessage, memory::kFrameMessage,
        memory::kFrameCredit, memory::kFrameClose,   memory::kFrameReturn,
        memory::kFrameSegment};
    const uint64_t ring_bytes = pair_.ring_size_bytes();
    const uint64_t left = ring_bytes - (at_ & (ring_bytes - 1));
    uint8_t kind =
        (side_ == memory::kClientSide ? kOfClient : kOfServer)[input_.Below(7)];
    uint64_t body = input_.Below(16) == 0 ? input_.Number() : input_.Below(300);
    uint8_t flags = memory::kFlagMessage;
    const uint32_t shape = input_.Below(8);
    if (shape == 0) flags = input_.Byte();
    if (shape == 1) kind = input_.Byte();
    const bool in_block = shape == 2 || shape == 3;
    if (in_block) {
      flags |= memory::kFlagBlock;
      body = sizeof(BlockRef);
    }
    if (kind == memory::kFrameMessage && shape == 4) {
      flags = memory::kFlagMessage |
              (side_ == memory::kClientSide ? memory::kFlagLast
                                            : memory::kFlagInitial);
    }
    if (shape != 0 && kind >= memory::kFrameCancel &&
        kind != memory::kFrameMessage) {
      flags = 0;
      body = kind == memory::kFrameSegment ? sizeof(memory::SegmentInfo) : 0;
    }
    uint64_t size = sizeof(FrameHeader) + body;
    if (memory::SpaceBytes(size & UINT32_MAX) > left && input_.Below(8) != 0) {
      // As an honest producer: pads, and begins anew.
      Publish(memory::RecordWord(left, memory::kFramePad, 0), left);
      if ((at_ & (ring_bytes - 1)) != 0) return;
    }
    uint8_t* to = ring_ + (at_ & (ring_bytes - 1));
    const uint64_t room = ring_bytes - (at_ & (ring_bytes - 1));
    Store(to + 8, static_cast<uint32_t>(input_.Below(4)));
    Store(to + 12, static_cast<uint32_t>(kind == memory::kFrameSegment
                                             ? input_.Below(4)
                                             : input_.Number()));
    Store(to + 16, input_.Number());
    const uint32_t metadata = input_.Below(4);
    Store(to + 24, static_cast<uint32_t>(metadata == 0   ? input_.Number()
                                         : metadata == 1 ? body
                                                         : 0));
    Store(to + 28, static_cast<uint32_t>(kind == memory::kFrameReturn ||
                                                 input_.Below(8) == 0
                                             ? input_.Below(8)
                                             : 0));
    const uint64_t body_at = memory::BodyOffset(size & UINT32_MAX);
    if (kind == memory::kFrameSegment &&
        body_at + sizeof(memory::SegmentInfo) <= room) {
      Store(to + body_at,
            input_.Below(2) == 0 ? kSegmentBytes : input_.Number());
      // Mostly that of the objects which Segment() makes.
      const bool other = input_.Below(8) == 0;
      Store(to + body_at + 8, other ? input_.Number() : uint64_t{0});
      Store(to + body_at + 16, uint64_t{0});
      Store(to + body_at + 24, uint64_t{0});
    } else if (in_block && body_at + sizeof(BlockRef) <= room) {
      Store(to + body_at, static_cast<uint32_t>(input_.Below(4)));
      Store(to + body_at + 4, static_cast<uint32_t>(input_.Number()));
      const uint64_t bytes =
          input_.Below(4) == 0 ? input_.Number() : input_.Below(65536);
      Store(to + body_at + 8,
            input_.Below(4) == 0 ? input_.Number() : kSegmentBytes - bytes);
      Store(to + body_at + 16, bytes);
    }
    Publish(memory::RecordWord(size, kind, flags),
            memory::SpaceBytes(size & UINT32_MAX));
  }

  void Publish(uint64_t word, uint64_t space_bytes) {
    reinterpret_cast<std::atomic<uint64_t>*>(
        ring_ + (at_ & (pair_.ring_size_bytes() - 1)))
        ->store(word, std::memory_order_release);
    CountMutations(1);
    at_ += memory::RoundUpToUnit(space_bytes);
  }

  // A word of either ring, mostly where something was sent lately.
  void Scribble() {
    const uint64_t ring_bytes = pair_.ring_size_bytes();
    uint8_t* ring = input_.Below(4) == 0
                        ? pair_.ring(side_, side_ == memory::kClientSide
                                                ? memory::kServerSide
                                                : memory::kClientSide)
                        : ring_;
    for (uint32_t i = 1 + input_.Below(6); i > 0; --i) {
      const uint64_t offset = input_.Below(2) == 0
                                  ? input_.Below(64) * 8
                                  : input_.Below(65536) * 8 % ring_bytes;
      const uint64_t value =
          input_.Below(3) == 0
              ? memory::RecordWord(input_.Below(512), input_.Below(12),
                                   input_.Below(20))
              : input_.Number();
      reinterpret_cast<std::atomic<uint64_t>*>(ring + offset)
          ->store(value, std::memory_order_relaxed);
      CountMutations(1);
    }
  }

  void Mark() {
    memory::SideControl& side = pair_.page(side_)->side[input_.Below(2)];
    const uint32_t value = input_.Below(4) == 0
                               ? static_cast<uint32_t>(input_.Number())
                               : input_.Below(2);
    switch (input_.Below(4)) {
      case 0:
        side.closed.store(value, std::memory_order_relaxed);
        break;
      case 1:
        side.wants_space.store(value, std::memory_order_relaxed);
        break;
      default:
        side.parked.store(value, std::memory_order_relaxed);
        break;
    }
    CountMutations(1);
  }

  void Consumed() {
    const uint32_t ring = input_.Below(2);
    const uint64_t value =
        input_.Below(2) == 0 ? input_.Below(128) * 64 : input_.Number();
    pair_.page(side_)->ring[ring].consumed.store(value,
                                                 std::memory_order_relaxed);
    CountMutations(1);
  }

  // Frames as an honest side sends them; long ones take blocks.
  void HonestSend(Connection* connection, Side side) {
    const std::string metadata(input_.Below(40), 'm');
    OutgoingFrame frame;
    frame.kind =
        side == memory::kClientSide ? memory::kFrameOpen : memory::kFrameClose;
    frame.has_message = true;
    frame.call_id = input_.Below(8);
    frame.metadata = metadata;
    frame.message_bytes = input_.Below(16) == 0 ? 20000 : input_.Below(600);
    const uint64_t bytes = frame.message_bytes;
    connection
        ->Send(frame, [bytes](uint8_t* to) { std::memset(to, 0x77, bytes); })
        .IgnoreError();
  }

  // A real object where a segment of the peer's would be, once or twice.
  void Segment() {
    if (segments_.size() == 2) return;
    auto mapping = platform::NamedMapping::Create(
        memory::SegmentName(
            pair_.name(), side_,
            static_cast<uint32_t>(segments_.size() + input_.Below(2)), {}),
        kSegmentBytes, {});
    if (mapping.ok()) segments_.push_back(*std::move(mapping));
  }

  // As the layer above: every byte, once, guarded.
  void Read(const Frame& frame) {
    const uint8_t* begin = frame.view->data();
    const uint8_t* end = begin + frame.view->size_bytes();
    FuzzCheck(
        frame.metadata >= begin && frame.metadata <= end &&
            frame.fields.metadata_bytes <=
                static_cast<uint64_t>(end - frame.metadata) &&
            frame.message == frame.metadata + frame.fields.metadata_bytes &&
            frame.message_bytes <= static_cast<uint64_t>(end - frame.message),
        "a frame lies outside of its view");
    FuzzCheck(frame.in_block() || frame.view == &victim_.view(),
              "a frame in the wrong view");
    FuzzCheck(frame.fields.metadata_bytes <= memory::kMaxMetadataBytes,
              "more metadata than any frame may have");
    sink_.resize(frame.fields.metadata_bytes + frame.message_bytes);
    platform::Guarded(*frame.view, [&] {
      if (!sink_.empty()) memcpy(&sink_[0], frame.metadata, sink_.size());
    });
    if (frame.in_block()) victim_.GiveBackBlock(frame.block);
  }

  FuzzInput& input_;
  const Side side_;     // the hostile one
  const bool by_hand_;  // its frames; otherwise a Connection's, scribbled on
  ConnectionPair pair_;
  Connection& victim_;
  uint8_t* const ring_;  // that the hostile side fills
  uint64_t at_ = 0;      // where, since the beginning
  std::vector<platform::NamedMapping> segments_;
  std::string sink_;
};

}  // namespace

void FuzzOne(FuzzInput* input) {
  HostilePeer peer(input);
  while (!input->empty() && !peer.broken()) peer.Step();
  peer.Turn();
  peer.Turn();
  peer.CheckOutcome();
}

}  // namespace testing
}  // namespace shmrpc
