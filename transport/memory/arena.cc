#include "transport/memory/arena.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/fork.h"

namespace shmrpc {
namespace memory {
namespace {

platform::ObjectName SegmentName(const platform::ObjectName& base, Side side,
                                 uint32_t number) {
  return base.WithSuffix(
      absl::StrCat(side == kClientSide ? ".c" : ".s", number));
}

uint64_t RoundUp(uint64_t bytes, uint64_t to) {
  return (bytes + to - 1) / to * to;
}

platform::OpenOptions GuestOptions() {
  platform::OpenOptions options;
  options.hold = false;
  options.abandoned_too = true;
  return options;
}

}  // namespace

struct ArenaSender::Segment {
  Segment(uint32_t number, platform::NamedMapping mapping, platform::View view)
      : number(number),
        mapping(std::move(mapping)),
        view(std::make_shared<platform::View>(std::move(view))),
        table(this->view->size_bytes()) {}

  const uint32_t number;
  platform::NamedMapping mapping;
  const std::shared_ptr<platform::View> view;
  BlockTable table;
};

ArenaSender::ArenaSender(platform::ObjectName base_name, Side side,
                         platform::AccessPolicy access)
    : base_name_(std::move(base_name)),
      side_(side),
      access_(std::move(access)) {}

ArenaSender::~ArenaSender() {
  absl::MutexLock lock(&mutex_);
  if (!leave_lent_) return;
  for (const auto& s : segments_) {
    if (!s.second->table.empty()) s.second->mapping.LeaveName();
  }
}

void ArenaSender::LeaveLent() {
  absl::MutexLock lock(&mutex_);
  leave_lent_ = true;
}

absl::StatusOr<ArenaSender::Segment*> ArenaSender::AddSegment(
    uint64_t at_least_bytes) {
  if (segments_.size() >= kMaxSegments) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "connection ", base_name_.name, ": ", kMaxSegments,
        " arena segments are in use: the peer is not giving payloads back"));
  }
  // Each segment as large as all before it, within a limit: few segments for a
  // busy connection, little memory for a quiet one.
  uint64_t total = 0;
  for (const auto& s : segments_) total += s.second->table.size_bytes();
  const uint64_t exact = RoundUp(at_least_bytes, 64 * 1024);
  const uint64_t generous = std::max(
      exact,
      std::min(std::max(total, kMinSegmentBytes), kMaxSpareSegmentBytes));
  const uint32_t number = next_segment_;
  const platform::ObjectName name = SegmentName(base_name_, side_, number);
  platform::CreateOptions options;
  options.access = access_;
  auto mapping = platform::NamedMapping::Create(name, generous, options);
  if (!mapping.ok() && generous != exact) {
    mapping = platform::NamedMapping::Create(name, exact, options);
  }
  if (!mapping.ok()) return mapping.status();
  auto view =
      mapping->Map(0, mapping->size_bytes(), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  ++next_segment_;
  auto segment =
      absl::make_unique<Segment>(number, *std::move(mapping), *std::move(view));
  announcements_.push_back({number, segment->table.size_bytes()});
  has_announcements_.store(true, std::memory_order_relaxed);
  Segment* added = segment.get();
  segments_[number] = std::move(segment);
  return added;
}

absl::StatusOr<Block> ArenaSender::AllocateLocked(uint64_t size_bytes) {
  if (size_bytes == 0 || size_bytes > kMaxBlockBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("connection ", base_name_.name, ": a block of ",
                     size_bytes, " bytes; the limit is ", kMaxBlockBytes));
  }
  Segment* segment = nullptr;
  absl::optional<uint64_t> offset;
  for (const auto& s : segments_) {
    offset = s.second->table.Allocate(size_bytes);
    if (offset) {
      segment = s.second.get();
      break;
    }
  }
  if (segment == nullptr) {
    auto added = AddSegment(size_bytes);
    if (!added.ok()) return added.status();
    segment = *added;
    offset = segment->table.Allocate(size_bytes);
  }
  // Numbers are not reused soon, so a block returned twice is noticed.
  uint32_t number = next_block_;
  while (lent_.contains(number)) number = (number + 1) & 0x7fffffff;
  next_block_ = (number + 1) & 0x7fffffff;
  lent_[number] = {segment->number, *offset};
  Block block;
  block.ref = {segment->number, number, *offset, size_bytes};
  block.data = segment->view->data() + *offset;
  block.view = segment->view;
  return block;
}

absl::StatusOr<Block> ArenaSender::Allocate(uint64_t size_bytes) {
  absl::MutexLock lock(&mutex_);
  return AllocateLocked(size_bytes);
}

void ArenaSender::Cancel(const Block& block) {
  Return(block.ref.block).IgnoreError();
}

absl::Status ArenaSender::Return(uint32_t number) {
  absl::MutexLock lock(&mutex_);
  auto lent = lent_.find(number);
  if (lent == lent_.end()) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer gave back block ", number,
        ", which it does not have"));
  }
  auto segment = segments_.find(lent->second.segment);
  segment->second->table.Free(lent->second.offset_bytes);
  lent_.erase(lent);
  return absl::OkStatus();
}

std::vector<ArenaSender::Announcement> ArenaSender::TakeAnnouncements() {
  absl::MutexLock lock(&mutex_);
  has_announcements_.store(false, std::memory_order_relaxed);
  return std::exchange(announcements_, {});
}

uint64_t ArenaSender::SizeBytes() const {
  absl::MutexLock lock(&mutex_);
  uint64_t total = 0;
  for (const auto& s : segments_) total += s.second->table.size_bytes();
  return total;
}

uint64_t ArenaSender::LentBlocks() const {
  absl::MutexLock lock(&mutex_);
  return lent_.size();
}

ArenaReceiver::ArenaReceiver(platform::ObjectName base_name, Side side)
    : base_name_(std::move(base_name)),
      side_(side),
      fork_generation_(platform::ForkGeneration()) {}

ArenaReceiver::~ArenaReceiver() {
  // In a forked copy they are the parent's.
  if (platform::ForkGeneration() != fork_generation_) return;
  for (uint32_t n = next_segment_; n - next_segment_ < kMaxSegments; ++n) {
    auto left = platform::NamedMapping::Open(SegmentName(base_name_, side_, n),
                                             GuestOptions());
    if (!left.ok()) return;
    left->Unlink();
  }
}

absl::Status ArenaReceiver::AddSegment(uint32_t number, uint64_t size_bytes) {
  if (segments_.size() >= kMaxSegments || segments_.contains(number)) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer announced segment ", number,
        " twice, or more than ", kMaxSegments));
  }
  auto mapping = platform::NamedMapping::Open(
      SegmentName(base_name_, side_, number), GuestOptions());
  if (!mapping.ok()) return mapping.status();
  if (number >= next_segment_ && number < UINT32_MAX) {
    next_segment_ = number + 1;
  }
  mapping->Unlink();
  // What the kernel says, never what the peer says.
  if (mapping->size_bytes() < size_bytes) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": segment ", number, " has ",
        mapping->size_bytes(), " bytes, the peer announced ", size_bytes));
  }
  auto view = mapping->Map(0, size_bytes, platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  segments_[number] = std::make_shared<platform::View>(*std::move(view));
  return absl::OkStatus();
}

absl::StatusOr<ArenaReceiver::Bytes> ArenaReceiver::Resolve(
    const BlockRef& ref) const {
  auto segment = segments_.find(ref.segment);
  if (segment == segments_.end()) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer refers to segment ",
        ref.segment, ", which it never announced"));
  }
  const uint64_t size = segment->second->size_bytes();
  if (ref.size_bytes > size || ref.offset_bytes > size - ref.size_bytes) {
    return absl::DataLossError(
        absl::StrCat("connection ", base_name_.name, ": the peer refers to ",
                     ref.size_bytes, " bytes at ", ref.offset_bytes,
                     " of segment ", ref.segment, ", which has ", size));
  }
  return Bytes{segment->second->data() + ref.offset_bytes, ref.size_bytes,
               segment->second};
}

}  // namespace memory
}  // namespace shmrpc
