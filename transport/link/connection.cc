#include "transport/link/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/doorbell.h"
#include "transport/platform/clock.h"
#include "transport/platform/cpu.h"
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

// For how long RingPeer finds no word to ring before it gives up.
constexpr int64_t kLostRingPatienceNs = 1000 * 1000 * 1000;

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
                    parts_.memory_account),
      arena_receiver_(parts_.name, peer_side_, parts_.memory_account,
                      parts_.same_user ? "" : parts_.peer_user) {}

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
  return PushOrKeep(record, rang) ? absl::OkStatus() : status();
}

void Connection::GiveBackBlock(uint32_t block) {
  OutgoingFrame frame;
  frame.kind = memory::kFrameReturn;
  frame.returned_block = block + 1;
  Send(frame).IgnoreError();  // broken: the peer's memory is gone anyway
}

void Connection::Announce(bool* rang) {
  for (const auto& a : arena_sender_.TakeAnnouncements()) {
    const SegmentInfo info{a.size_bytes};
    Record record{{}, &info, sizeof(info), {}, WriteNothing, false};
    record.fields.kind = memory::kFrameSegment;
    if (a.size_bytes == 0) {
      record.fields.kind = memory::kFrameDrop;
      record.fixed_bytes = 0;
    }
    record.fields.aux = a.segment;
    record.fields.record_bytes =
        static_cast<uint32_t>(sizeof(FrameHeader) + record.fixed_bytes);
    PushOrKeep(record, rang);
  }
}

void Connection::AnnounceDropped() {
  if (!arena_sender_.HasAnnouncements()) return;
  absl::MutexLock lock(&send_mutex_);
  Announce(nullptr);
}

absl::Status Connection::TakeSegmentFrame(const FrameFields& fields,
                                          const SegmentInfo& segment) {
  absl::Status done;
  switch (fields.kind) {
    case memory::kFrameSegment: {
      done = arena_receiver_.AddSegment(fields.aux, segment.size_bytes);
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

bool Connection::PushOrKeep(const Record& record, bool* rang) {
  if (!backlog_.empty()) FlushLocked();
  if (backlog_.empty()) {
    const PushResult pushed = Push(record, rang);
    if (pushed != PushResult::kFull) return pushed == PushResult::kPushed;
  }
  if (broken()) return false;
  std::string bytes(record.fields.record_bytes, '\0');
  record.WriteTo(reinterpret_cast<uint8_t*>(&bytes[0]), sizeof(FrameHeader));
  const uint64_t word = record.Word();
  memcpy(&bytes[0], &word, sizeof(word));
  backlog_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
  backlog_.push_back(std::move(bytes));
  FlushLocked();
  return true;
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
    const std::string& bytes = backlog_.front();
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
        memcpy(&segment, frame->message, sizeof(segment));
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

bool Connection::PeerClosed() {
  uint32_t closed = 0;
  if (!Guarded(parts_.view, [&] {
        // SYNC(closed): acquire pairs with the release in Close; records
        // published before are seen by the next Next().
        closed = page_->side[peer_side_].closed.load(std::memory_order_acquire);
      })) {
    FailPoisoned();
    return true;
  }
  return closed != 0;
}

void Connection::Close() {
  // A forked copy leaves its parent's connection alone.
  if (platform::ForkGeneration() != fork_generation_) return;
  bool first = false;
  const bool alive = Guarded(parts_.view, [&] {
    // SYNC(closed)
    first =
        page_->side[side_].closed.exchange(1, std::memory_order_acq_rel) == 0;
    SHMRPC_STORE_POINT("connection.closed");
  });
  if (!alive) {
    CloseWithoutView();
  } else if (first) {
    Ring();
  }
}

// This side's view is gone. Where that is only its own misfortune (Windows) the
// object can be mapped once more, to leave word; where the object is gone for
// both (Linux), the peer finds out itself when it is woken.
void Connection::CloseWithoutView() {
  // Relaxed: decides who does it, nothing else.
  if (closed_without_view_.exchange(true, std::memory_order_relaxed)) return;
  const auto again = parts_.mapping.Map(0, sizeof(ConnectionPage),
                                        platform::Access::kReadWrite);
  if (again.ok()) {
    auto* page = reinterpret_cast<ConnectionPage*>(again->data());
    Guarded(*again, [&] {
      // SYNC(closed)
      page->side[side_].closed.store(1, std::memory_order_release);
      SHMRPC_STORE_POINT("connection.closed without view");
    });
  }
  Ring();
}

void Connection::Fail(absl::Status reason) {
  {
    absl::MutexLock lock(&status_mutex_);
    if (broken_.load(std::memory_order_relaxed)) return;
    status_ = std::move(reason);
    broken_.store(true, std::memory_order_release);  // pairs with broken()
  }
  // The peer is told at once: it may be waiting for what never comes, and this
  // side may keep the broken connection for long.
  Close();
}

void Connection::FailPoisoned() {
  Fail(absl::DataLossError(
      absl::StrCat("connection ", parts_.name.name,
                   ": its shared memory is gone (an access faulted: the object "
                   "was truncated, or the system could not supply a page)")));
}

absl::Status Connection::status() const {
  absl::MutexLock lock(&status_mutex_);
  return status_;
}

bool Connection::Ring() {
  parts_.peer_event.Signal();
  if (!parts_.peer_event.Gone()) return true;
  // Its owner may have made it good meanwhile. If not, and if this ring is
  // lost, it looks at everything once it has.
  if (parts_.restore_peer_event == nullptr || !parts_.restore_peer_event()) {
    return false;
  }
  parts_.peer_event.Signal();
  return !parts_.peer_event.Gone();
}

void Connection::RingPeer() {
  if (Ring()) {
    ring_lost_since_ns_ = 0;
    return;
  }
  const int64_t now_ns = platform::MonotonicNowNs();
  if (ring_lost_since_ns_ == 0) ring_lost_since_ns_ = now_ns;
  if (parts_.restore_peer_event != nullptr &&
      now_ns - ring_lost_since_ns_ < kLostRingPatienceNs) {
    return;
  }
  Fail(absl::DataLossError(
      absl::StrCat("connection ", parts_.name.name,
                   ": the word that wakes its peer is gone (truncated by some "
                   "process of this user), and the peer does not make it "
                   "good")));
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
