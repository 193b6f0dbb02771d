// Connection: sending. Taking frames: connection_receive.cc; how it ends:
// connection_end.cc.

#include "transport/link/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/doorbell.h"
#include "transport/platform/fork.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {

using memory::BlockRef;
using memory::ConnectionPage;
using memory::FrameHeader;
using memory::RingProducer;
using memory::SegmentInfo;
using platform::Guarded;

// A record to be written: a header, then up to three pieces of body.
struct Connection::Record {
  FrameFields fields;           // record_bytes set
  const void* fixed = nullptr;  // BlockRef or SegmentInfo
  uint64_t fixed_bytes = 0;
  absl::string_view metadata;
  OutgoingFrame::Write write;
  bool has_write = false;

  // Everything but the first word, which publishes. The body first: the
  // header's line is the one the peer polls.
  void WriteTo(uint8_t* to, uint64_t body_offset) const {
    uint8_t* body = to + body_offset;
    if (fixed_bytes != 0) {
      memcpy(body, fixed, fixed_bytes);
      SHMRPC_STORE_POINT("record.fixed");
    }
    if (!metadata.empty()) {
      memcpy(body, metadata.data(), metadata.size());
      SHMRPC_STORE_POINT("record.metadata");
    }
    if (has_write) {
      write(body + metadata.size());
      SHMRPC_STORE_POINT("record.message");
    }
    FrameHeader* header = reinterpret_cast<FrameHeader*>(to);
    header->call_id = fields.call_id;
    SHMRPC_STORE_POINT("record.call id");
    header->aux = fields.aux;
    SHMRPC_STORE_POINT("record.aux");
    header->deadline_ns = fields.deadline_ns;
    SHMRPC_STORE_POINT("record.deadline");
    header->metadata_bytes = fields.metadata_bytes;
    SHMRPC_STORE_POINT("record.metadata bytes");
    header->returned_block = fields.returned_block;
    SHMRPC_STORE_POINT("record.returned block");
  }
  uint64_t Word() const {
    return memory::RecordWord(fields.record_bytes, fields.kind, fields.flags);
  }
};

namespace {

void WriteNothing(uint8_t*) {}

RingProducer MakeProducer(ConnectionPage* page, memory::Side side,
                          uint64_t ring_size_bytes) {
  uint8_t* rings = reinterpret_cast<uint8_t*>(page) + memory::kPage;
  return RingProducer(rings + side * ring_size_bytes, ring_size_bytes,
                      &page->ring[side].consumed);
}

memory::RingConsumer MakeConsumer(ConnectionPage* page, memory::Side sender,
                                  uint64_t ring_size_bytes) {
  uint8_t* rings = reinterpret_cast<uint8_t*>(page) + memory::kPage;
  return memory::RingConsumer(rings + sender * ring_size_bytes, ring_size_bytes,
                              &page->ring[sender].consumed);
}

memory::Side Other(memory::Side side) {
  return side == memory::kClientSide ? memory::kServerSide
                                     : memory::kClientSide;
}

}  // namespace

Connection::Connection(memory::Side side, Parts parts)
    : side_(side),
      peer_side_(Other(side)),
      fork_generation_(platform::ForkGeneration()),
      parts_(std::move(parts)),
      max_inline_bytes_(std::min(
          kMaxInlineBytes, memory::MaxRecordBytes(parts_.ring_size_bytes) -
                               memory::BodyOffset(UINT32_MAX))),
      page_(reinterpret_cast<ConnectionPage*>(parts_.view.data())),
      producer_(MakeProducer(page_, side_, parts_.ring_size_bytes)),
      consumer_(MakeConsumer(page_, peer_side_, parts_.ring_size_bytes)),
      arena_sender_(parts_.name, side_, parts_.segment_access,
                    parts_.memory_account,
                    parts_.same_user ? parts_.peer : platform::ProcessId()),
      arena_receiver_(parts_.name, peer_side_, parts_.memory_account,
                      parts_.same_user ? "" : parts_.peer_user),
      copy_before_parse_(!parts_.same_user) {}

Connection::~Connection() { Close(); }

absl::Status Connection::Send(const OutgoingFrame& frame, bool* rang) {
  return Send(frame, WriteNothing, rang);
}

absl::Status Connection::Send(const OutgoingFrame& frame,
                              OutgoingFrame::Write write, bool* rang) {
  if (broken()) return status();
  const uint64_t body_bytes = frame.metadata.size() + frame.message_bytes;
  Record record{{}, nullptr, 0, {}, write, false};
  record.fields.kind = frame.kind;
  record.fields.flags =
      static_cast<uint8_t>((frame.has_message ? memory::kFlagMessage : 0) |
                           (frame.last ? memory::kFlagLast : 0) |
                           (frame.initial ? memory::kFlagInitial : 0));
  record.fields.call_id = frame.call_id;
  record.fields.aux = frame.aux;
  record.fields.deadline_ns = frame.deadline_ns;
  record.fields.metadata_bytes = static_cast<uint32_t>(frame.metadata.size());
  record.fields.returned_block = frame.returned_block;

  memory::Block block;
  if (body_bytes <= max_inline_bytes_) {
    record.fields.record_bytes =
        static_cast<uint32_t>(sizeof(FrameHeader) + body_bytes);
    record.metadata = frame.metadata;
    record.has_write = frame.message_bytes != 0;
  } else {
    auto allocated = arena_sender_.Allocate(body_bytes);
    if (!allocated.ok()) {
      // Anything but a lack of memory will not get better.
      if (!absl::IsResourceExhausted(allocated.status())) {
        Fail(allocated.status());
      }
      return allocated.status();
    }
    block = *std::move(allocated);
    const bool written = Guarded(*block.view, [&] {
      if (!frame.metadata.empty()) {
        memcpy(block.data, frame.metadata.data(), frame.metadata.size());
        SHMRPC_STORE_POINT("block.metadata");
      }
      write(block.data + frame.metadata.size());
      SHMRPC_STORE_POINT("block.message");
    });
    if (!written) {
      FailPoisoned();
      return status();
    }
    record.fields.record_bytes = sizeof(FrameHeader) + sizeof(BlockRef);
    record.fields.flags |= memory::kFlagBlock;
    record.fixed = &block.ref;
    record.fixed_bytes = sizeof(BlockRef);
  }

  absl::MutexLock lock(&send_mutex_);
  if (arena_sender_.HasAnnouncements()) Announce(rang);
  // Not whether it is broken by now: the frame may have gone before.
  return PushOrKeep(record, rang);
}

void Connection::GiveBackBlock(uint32_t block) {
  OutgoingFrame frame;
  frame.kind = memory::kFrameReturn;
  frame.returned_block = block + 1;
  Send(frame).IgnoreError();  // broken: the peer's memory is gone anyway
}

void Connection::Announce(bool* rang) {
  for (const auto& a : arena_sender_.TakeAnnouncements()) {
    Record record{{}, &a.info, sizeof(SegmentInfo), {}, WriteNothing, false};
    record.fields.kind = memory::kFrameSegment;
    if (a.info.size_bytes == 0) {
      record.fields.kind = memory::kFrameDrop;
      record.fixed_bytes = 0;
    }
    record.fields.aux = a.segment;
    record.fields.record_bytes =
        static_cast<uint32_t>(sizeof(FrameHeader) + record.fixed_bytes);
    PushOrKeep(record, rang).IgnoreError();  // broken: nobody listens
  }
}

void Connection::AnnounceDropped() {
  if (!arena_sender_.HasAnnouncements()) return;
  absl::MutexLock lock(&send_mutex_);
  Announce(nullptr);
}

absl::Status Connection::PushOrKeep(const Record& record, bool* rang) {
  if (!backlog_.empty()) FlushLocked();
  if (backlog_.empty()) {
    const PushResult pushed = Push(record, rang);
    if (pushed == PushResult::kPushed) return absl::OkStatus();
    if (pushed == PushResult::kBroken) return status();
  }
  if (broken()) return status();
  Kept kept;
  // What a call can have only a few of is not counted, and never refused. (A
  // block's memory is its segment's.)
  if (record.has_write &&
      !kept.charge.Take(parts_.memory_account, record.fields.record_bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "connection ", parts_.name.name, ": no room to keep a message of ",
        record.fields.record_bytes, " bytes until its peer takes some: ",
        parts_.memory_account->Describe()));
  }
  kept.bytes.resize(record.fields.record_bytes);
  record.WriteTo(reinterpret_cast<uint8_t*>(&kept.bytes[0]),
                 sizeof(FrameHeader));
  const uint64_t word = record.Word();
  memcpy(&kept.bytes[0], &word, sizeof(word));
  backlog_bytes_.fetch_add(kept.bytes.size(), std::memory_order_relaxed);
  backlog_.push_back(std::move(kept));
  FlushLocked();
  return absl::OkStatus();
}

Connection::PushResult Connection::Push(const Record& record, bool* rang) {
  RingProducer::Result reserved = RingProducer::Result::kFull;
  bool ring = false;
  // One guarded piece: reserve, fill, publish, and look whether to ring.
  const bool alive = Guarded(parts_.view, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t* to = nullptr;
    const uint64_t record_bytes = record.fields.record_bytes;
    reserved = producer_.Reserve(memory::SpaceBytes(record_bytes), &to);
    if (reserved != RingProducer::Result::kOk) return;
    record.WriteTo(to, memory::BodyOffset(record_bytes));
    producer_.Publish(record.Word());
    ring = Doorbell::TakeMark(&page_->side[peer_side_].parked);
  });
  if (!alive) {
    FailPoisoned();
    return PushResult::kBroken;
  }
  if (reserved == RingProducer::Result::kCorrupt) {
    Fail(absl::DataLossError(absl::StrCat(
        "connection ", parts_.name.name,
        ": the peer claims to have consumed what was never sent")));
    return PushResult::kBroken;
  }
  if (reserved == RingProducer::Result::kFull) return PushResult::kFull;
  if (ring) {
    Ring();
    if (rang != nullptr) *rang = true;
  }
  return PushResult::kPushed;
}

void Connection::Flush() {
  // Relaxed: a backlog that another thread makes right now is flushed by that
  // thread's own second look, or rings for us later.
  if (BacklogBytes() == 0) return;
  absl::MutexLock lock(&send_mutex_);
  FlushLocked();
}

void Connection::FlushLocked() {
  bool marked = false;
  while (!backlog_.empty() && !broken()) {
    const std::string& bytes = backlog_.front().bytes;
    Record record{{}, nullptr, 0, {}, WriteNothing, false};
    uint64_t word;
    memcpy(&word, bytes.data(), sizeof(word));
    record.fields.record_bytes = memory::RecordSize(word);
    record.fields.kind = memory::RecordKind(word);
    record.fields.flags = memory::RecordFlags(word);
    const FrameHeader* header =
        reinterpret_cast<const FrameHeader*>(bytes.data());
    record.fields.call_id = header->call_id;
    record.fields.aux = header->aux;
    record.fields.deadline_ns = header->deadline_ns;
    record.fields.metadata_bytes = header->metadata_bytes;
    record.fields.returned_block = header->returned_block;
    record.fixed = bytes.data() + sizeof(FrameHeader);
    record.fixed_bytes = bytes.size() - sizeof(FrameHeader);
    if (Push(record, nullptr) == PushResult::kFull) {
      if (marked) return;
      // The mark first, then one more look: see doorbell.h. Each time anew: the
      // peer took the last mark down when it rang, which freed room for some of
      // the backlog only.
      if (!Guarded(parts_.view,
                   [&] { Doorbell::Park(&page_->side[side_].wants_space); })) {
        FailPoisoned();
        return;
      }
      marked = true;
      continue;
    }
    marked = false;
    backlog_bytes_.fetch_sub(bytes.size(), std::memory_order_relaxed);
    backlog_.pop_front();
  }
}

uint64_t Connection::Undelivered() {
  absl::MutexLock lock(&send_mutex_);
  return backlog_.size() + arena_sender_.LentBlocks();
}

uint64_t Connection::SizeBytes() const {
  return parts_.view.size_bytes() + arena_sender_.SizeBytes();
}

}  // namespace link
}  // namespace shmrpc
