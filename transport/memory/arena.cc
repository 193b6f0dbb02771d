#include "transport/memory/arena.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "transport/platform/fork.h"
#include "transport/platform/random.h"

namespace shmrpc {
namespace memory {
namespace {

// What the names of all segments of one side have after the connection's.
const char* Suffix(Side side) { return side == kClientSide ? ".c" : ".s"; }

uint64_t RoundUp(uint64_t bytes, uint64_t to) {
  return (bytes + to - 1) / to * to;
}

// A view and what it costs, for as long as anybody holds it.
struct ChargedView {
  Charge charge;
  platform::View view;
};

std::shared_ptr<platform::View> Share(Charge charge, platform::View view) {
  auto both = std::make_shared<ChargedView>(
      ChargedView{std::move(charge), std::move(view)});
  return {both, &both->view};
}

absl::Status NoRoom(const platform::ObjectName& base_name,
                    uint64_t segment_bytes, const MemoryAccount& account) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "connection ", base_name.name, ": no room for payloads in another ",
      segment_bytes, " bytes of memory: ", account.Describe()));
}

}  // namespace

platform::ObjectName SegmentName(const platform::ObjectName& base_name,
                                 Side side, uint32_t number,
                                 const SegmentInfo& info) {
  std::string suffix = absl::StrCat(Suffix(side), number, ".",
                                    absl::Hex(info.nonce, absl::kZeroPad16));
  if (info.receiver_pid != 0) {
    absl::StrAppend(&suffix, ".", absl::Hex(info.receiver_pid, absl::kZeroPad8),
                    ".", absl::Hex(info.receiver_start_time, absl::kZeroPad16));
  }
  return base_name.WithSuffix(suffix);
}

bool IsKeptForAProcess(absl::string_view name) {
  // ".c0", its nonce, the pid and the start time.
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  if (parts.size() < 4) return false;
  const absl::string_view side = parts[parts.size() - 4];
  platform::ProcessId process;
  return (absl::StartsWith(side, "c") || absl::StartsWith(side, "s")) &&
         absl::SimpleHexAtoi(parts[parts.size() - 2], &process.pid) &&
         absl::SimpleHexAtoi(parts.back(), &process.start_time) &&
         platform::IsAlive(process);
}

struct ArenaSender::Segment {
  Segment(uint32_t number, const SegmentInfo& info,
          platform::NamedMapping mapping, std::shared_ptr<platform::View> view)
      : number(number),
        info(info),
        mapping(std::move(mapping)),
        view(std::move(view)),
        table(this->view->size_bytes()) {}

  const uint32_t number;
  const SegmentInfo info;
  platform::NamedMapping mapping;
  const std::shared_ptr<platform::View> view;
  BlockTable table;
  bool refused = false;
  bool seen = false;  // by the peer: a block of it came back
};

ArenaSender::ArenaSender(platform::ObjectName base_name, Side side,
                         platform::AccessPolicy access,
                         std::shared_ptr<MemoryAccount> account,
                         platform::ProcessId receiver)
    : base_name_(std::move(base_name)),
      side_(side),
      access_(std::move(access)),
      account_(std::move(account)),
      receiver_(receiver) {}

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
  auto segment = MakeSegment(generous);
  if (absl::IsResourceExhausted(segment.status())) {
    // What lies idle makes room first.
    DropEmpty();
    segment = MakeSegment(exact);
  } else if (!segment.ok() && generous != exact) {
    segment = MakeSegment(exact);
  }
  if (!segment.ok()) return segment.status();
  Segment* added = segment->get();
  const uint32_t number = added->number;
  next_segment_ = number + 1;
  announcements_.push_back({number, added->info});
  has_announcements_.store(true, std::memory_order_relaxed);
  segments_[number] = *std::move(segment);
  return added;
}

absl::StatusOr<std::unique_ptr<ArenaSender::Segment>> ArenaSender::MakeSegment(
    uint64_t size_bytes) {
  Charge charge;
  if (!charge.Take(account_, size_bytes)) {
    return NoRoom(base_name_, size_bytes, *account_);
  }
  const SegmentInfo info = {size_bytes, platform::RandomBits(),
                            receiver_.start_time, receiver_.pid, 0};
  platform::CreateOptions options;
  options.access = access_;
  auto mapping = platform::NamedMapping::Create(
      SegmentName(base_name_, side_, next_segment_, info), size_bytes, options);
  if (!mapping.ok()) return mapping.status();
  auto view =
      mapping->Map(0, mapping->size_bytes(), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  return absl::make_unique<Segment>(next_segment_, info, *std::move(mapping),
                                    Share(std::move(charge), *std::move(view)));
}

ArenaSender::Segments::iterator ArenaSender::Drop(Segments::iterator segment) {
  announcements_.push_back({segment->first, SegmentInfo{}});
  has_announcements_.store(true, std::memory_order_relaxed);
  return segments_.erase(segment);
}

void ArenaSender::DropEmpty() {
  for (auto s = segments_.begin(); s != segments_.end();) {
    if (s->second->table.empty() && s->second->seen) {
      s = Drop(s);
    } else {
      ++s;
    }
  }
}

absl::Status ArenaSender::Refused(uint32_t segment) {
  absl::MutexLock lock(&mutex_);
  const auto found = segments_.find(segment);
  if (found == segments_.end() || found->second->refused) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer refuses segment ", segment,
        ", which it does not have"));
  }
  found->second->refused = true;
  found->second->seen = true;
  DropEmpty();
  return absl::OkStatus();
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
    if (s.second->refused) continue;
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
  Free(block.ref.block, /*returned=*/false).IgnoreError();
}

absl::Status ArenaSender::Return(uint32_t number) {
  return Free(number, /*returned=*/true);
}

absl::Status ArenaSender::Free(uint32_t number, bool returned) {
  absl::MutexLock lock(&mutex_);
  auto lent = lent_.find(number);
  if (lent == lent_.end()) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer gave back block ", number,
        ", which it does not have"));
  }
  auto segment = segments_.find(lent->second.segment);
  Segment* const s = segment->second.get();
  s->table.Free(lent->second.offset_bytes);
  s->seen |= returned;
  lent_.erase(lent);
  if (s->refused && s->table.empty()) Drop(segment);
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

ArenaReceiver::ArenaReceiver(platform::ObjectName base_name, Side side,
                             std::shared_ptr<MemoryAccount> account,
                             std::string sender_user)
    : base_name_(std::move(base_name)),
      side_(side),
      sender_user_(std::move(sender_user)),
      fork_generation_(platform::ForkGeneration()),
      account_(std::move(account)) {}

platform::OpenOptions ArenaReceiver::GuestOptions() const {
  platform::OpenOptions options;
  options.hold = false;
  options.abandoned_too = true;
  options.other_owner = sender_user_;
  return options;
}

ArenaReceiver::~ArenaReceiver() {
  // In a forked copy they are the parent's.
  if (platform::ForkGeneration() != fork_generation_) return;
  for (const platform::ObjectName& name :
       platform::NamesWithPrefix(base_name_.WithSuffix(Suffix(side_)))) {
    auto left = platform::NamedMapping::Open(name, GuestOptions());
    if (left.ok()) left->Unlink();
  }
}

absl::Status ArenaReceiver::AddSegment(uint32_t number,
                                       const SegmentInfo& info) {
  if (segments_.size() >= kMaxSegments || segments_.contains(number)) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer announced segment ", number,
        " twice, or more than ", kMaxSegments));
  }
  std::shared_ptr<platform::View> view;
  absl::Status mapped = Map(number, info, &view);
  if (mapped.ok() || absl::IsResourceExhausted(mapped)) {
    segments_[number] = std::move(view);
  }
  return mapped;
}

absl::Status ArenaReceiver::Map(uint32_t number, const SegmentInfo& info,
                                std::shared_ptr<platform::View>* view) {
  const uint64_t size_bytes = info.size_bytes;
  auto mapping = platform::NamedMapping::Open(
      SegmentName(base_name_, side_, number, info), GuestOptions());
  if (!mapping.ok()) return mapping.status();
  mapping->Unlink();
  // What the kernel says, never what the peer says.
  if (mapping->size_bytes() < size_bytes) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": segment ", number, " has ",
        mapping->size_bytes(), " bytes, the peer announced ", size_bytes));
  }
  Charge charge;
  if (!charge.Take(account_, size_bytes)) {
    return NoRoom(base_name_, size_bytes, *account_);
  }
  auto mapped = mapping->Map(0, size_bytes, platform::Access::kReadWrite);
  if (!mapped.ok()) return mapped.status();
  *view = Share(std::move(charge), *std::move(mapped));
  return absl::OkStatus();
}

absl::Status ArenaReceiver::DropSegment(uint32_t number) {
  if (segments_.erase(number) == 1) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("connection ", base_name_.name,
                                          ": the peer drops segment ", number,
                                          ", which it never announced"));
}

absl::StatusOr<ArenaReceiver::Bytes> ArenaReceiver::Resolve(
    const BlockRef& ref) const {
  auto segment = segments_.find(ref.segment);
  if (segment == segments_.end()) {
    return absl::DataLossError(absl::StrCat(
        "connection ", base_name_.name, ": the peer refers to segment ",
        ref.segment, ", which it never announced"));
  }
  if (segment->second == nullptr) return Bytes{nullptr, 0, nullptr};
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
