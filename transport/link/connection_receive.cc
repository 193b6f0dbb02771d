// Connection: taking frames, and sleep.

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/connection.h"
#include "transport/link/doorbell.h"
#include "transport/platform/cpu.h"
#include "transport/platform/guard.h"

namespace shmrpc {
namespace link {

using memory::BlockRef;
using memory::FrameHeader;
using memory::SegmentInfo;
using platform::Guarded;

bool Connection::Next(Frame* frame, int polls) {
  FrameFields& fields = frame->fields;
  for (;;) {
    if (broken()) return false;
    if (consumer_.ShouldGiveBack()) GiveBackSpace();
    enum { kNone, kPad, kRecord, kMisfit } found = kNone;
    BlockRef ref{};
    SegmentInfo segment{};
    uint64_t space_bytes = 0;
    const bool alive = Guarded(parts_.view, [&] {
      uint64_t word = consumer_.Peek();
      for (int i = 0; word == 0; ++i) {
        if (i == polls) return;
        platform::CpuRelax();
        word = consumer_.Peek();
      }
      fields.record_bytes = memory::RecordSize(word);
      // The next line comes from the peer's cache, too: meanwhile the header.
      if (fields.record_bytes > memory::kCacheLine) {
        platform::Prefetch(consumer_.data() + memory::kCacheLine);
      }
      fields.kind = memory::RecordKind(word);
      fields.flags = memory::RecordFlags(word);
      const bool pad = fields.kind == memory::kFramePad;
      space_bytes =
          pad ? fields.record_bytes : memory::SpaceBytes(fields.record_bytes);
      if (!consumer_.FitsRecord(space_bytes, fields.kind) ||
          fields.record_bytes < sizeof(FrameHeader)) {
        found = kMisfit;
        return;
      }
      if (pad) {
        found = kPad;
        return;
      }
      const uint8_t* record = consumer_.data();
      const FrameHeader* header = reinterpret_cast<const FrameHeader*>(record);
      fields.call_id = header->call_id;
      fields.aux = header->aux;
      fields.deadline_ns = header->deadline_ns;
      fields.metadata_bytes = header->metadata_bytes;
      fields.returned_block = header->returned_block;
      frame->message = record + memory::BodyOffset(fields.record_bytes);
      // Where ValidateFrame wants more body than there is, they stay empty.
      const uint64_t body = fields.record_bytes - sizeof(FrameHeader);
      if ((fields.flags & memory::kFlagBlock) != 0 && body >= sizeof(ref)) {
        memcpy(&ref, frame->message, sizeof(ref));
      }
      if (fields.kind == memory::kFrameSegment && body >= sizeof(segment)) {
        // Word by word: memcpy, where it is called, reads 32 bytes twice.
        const auto* info = reinterpret_cast<const SegmentInfo*>(frame->message);
        segment.size_bytes = info->size_bytes;
        segment.nonce = info->nonce;
        segment.receiver_start_time = info->receiver_start_time;
        segment.receiver_pid = info->receiver_pid;
      }
      found = kRecord;
    });
    if (!alive) {
      FailPoisoned();
      return false;
    }
    if (found == kNone) return false;
    if (found == kMisfit) {
      Fail(absl::DataLossError(
          absl::StrCat("connection ", parts_.name.name, ": a record of ",
                       fields.record_bytes, " bytes, kind ", fields.kind,
                       ", cannot stand where it stands")));
      return false;
    }
    consumer_.Advance(space_bytes);
    if (found == kPad) continue;
    absl::Status valid = ValidateFrame(fields, peer_side_);
    if (!valid.ok()) {
      Fail(absl::DataLossError(absl::StrCat("connection ", parts_.name.name,
                                            ": ", valid.message())));
      return false;
    }
    if (Interpret(ref, segment, frame)) return true;
  }
}

bool Connection::Interpret(const BlockRef& ref, const SegmentInfo& segment,
                           Frame* frame) {
  const FrameFields& fields = frame->fields;
  if (fields.returned_block != 0) {
    absl::Status returned = arena_sender_.Return(fields.returned_block - 1);
    if (!returned.ok()) {
      Fail(std::move(returned));
      return false;
    }
    AnnounceDropped();
  }
  if (fields.kind == memory::kFrameReturn) return false;
  if (fields.kind == memory::kFrameSegment ||
      fields.kind == memory::kFrameRefuse ||
      fields.kind == memory::kFrameDrop) {
    absl::Status done = TakeSegmentFrame(fields, segment);
    if (!done.ok()) Fail(std::move(done));
    return false;
  }
  segment_frames_left_ = std::min(segment_frames_left_ + kSegmentFramesPerFrame,
                                  kMostSegmentFramesLeft);
  uint64_t body = fields.record_bytes - sizeof(FrameHeader);
  frame->metadata = frame->message;
  frame->view = &parts_.view;
  frame->block_view = nullptr;
  if ((fields.flags & memory::kFlagBlock) != 0) {
    auto bytes = arena_receiver_.Resolve(ref);
    // A number that cannot be given back: 1 + it would be "none".
    if (bytes.ok() && ref.block == UINT32_MAX) {
      Fail(absl::DataLossError("no block has this number"));
      return false;
    }
    if (bytes.ok() && bytes->view == nullptr) {
      frame->block = ref.block;
      frame->fields.metadata_bytes = 0;
      frame->message_bytes = 0;
      return true;
    }
    if (!bytes.ok() || fields.metadata_bytes > bytes->size_bytes) {
      Fail(bytes.ok() ? absl::DataLossError("metadata longer than its block")
                      : bytes.status());
      return false;
    }
    body = bytes->size_bytes;
    frame->metadata = bytes->data;
    frame->block_view = std::move(bytes->view);
    frame->view = frame->block_view.get();
    frame->block = ref.block;
  }
  frame->message = frame->metadata + fields.metadata_bytes;
  frame->message_bytes = body - fields.metadata_bytes;
  return true;
}

absl::Status Connection::TakeSegmentFrame(const FrameFields& fields,
                                          const SegmentInfo& segment) {
  // Else a peer that announces and drops for ever would keep us in Next.
  if (--segment_frames_left_ < 0) {
    return absl::DataLossError(
        absl::StrCat("connection ", parts_.name.name,
                     ": the peer announces and drops segments without end"));
  }
  absl::Status done;
  switch (fields.kind) {
    case memory::kFrameSegment: {
      done = arena_receiver_.AddSegment(fields.aux, segment);
      if (!absl::IsResourceExhausted(done)) return done;
      OutgoingFrame refuse;
      refuse.kind = memory::kFrameRefuse;
      refuse.aux = fields.aux;
      Send(refuse).IgnoreError();  // broken: nobody is left to tell
      return absl::OkStatus();
    }
    case memory::kFrameDrop:
      return arena_receiver_.DropSegment(fields.aux);
    default:
      done = arena_sender_.Refused(fields.aux);
      AnnounceDropped();
      return done;
  }
}

void Connection::GiveBackSpace() {
  bool ring = false;
  if (!Guarded(parts_.view, [&] {
        consumer_.GiveBack();
        ring = Doorbell::TakeMark(&page_->side[peer_side_].wants_space);
      })) {
    FailPoisoned();
    return;
  }
  if (ring) Ring();
}

bool Connection::HasRecord() {
  uint64_t word = 0;
  if (!Guarded(parts_.view, [&] { word = consumer_.Peek(); })) {
    FailPoisoned();
    return false;
  }
  return word != 0 && !broken();
}

bool Connection::HasNews() {
  bool news = false;
  if (!Guarded(parts_.view, [&] {
        // Relaxed: whoever leads looks again.
        news = consumer_.Peek() != 0 || page_->side[peer_side_].closed.load(
                                            std::memory_order_relaxed) != 0;
      })) {
    FailPoisoned();
    return true;
  }
  return news;
}

bool Connection::Poll(int polls) {
  bool found = false;
  if (!Guarded(parts_.view, [&] {
        for (int i = 0; i < polls && !found; ++i) {
          found = consumer_.Peek() != 0;
          if (!found) platform::CpuRelax();
        }
      })) {
    FailPoisoned();
    return false;
  }
  return found;
}

void Connection::Park() {
  if (consumer_.HasTaken()) GiveBackSpace();
  if (!Guarded(parts_.view,
               [&] { Doorbell::Park(&page_->side[side_].parked); })) {
    FailPoisoned();
  }
}

void Connection::Unpark() {
  if (!Guarded(parts_.view,
               [&] { Doorbell::Unpark(&page_->side[side_].parked); })) {
    FailPoisoned();
  }
}

bool Connection::MarkIsUp() {
  uint32_t mark = 0;
  if (!Guarded(parts_.view, [&] {
        // Relaxed: a mark that is taken down right now rings afterwards.
        mark = page_->side[side_].parked.load(std::memory_order_relaxed);
      })) {
    FailPoisoned();
  }
  return mark != 0;
}

}  // namespace link
}  // namespace shmrpc
