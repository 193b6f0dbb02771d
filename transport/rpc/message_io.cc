#include "transport/rpc/message_io.h"

#include <algorithm>
#include <cstring>

#include "absl/base/attributes.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "google/protobuf/message.h"
#include "transport/platform/guard.h"

namespace shmrpc {
namespace internal {
namespace {

// Makes `*to` what `*fresh` is, without copying where the type allows it.
void HandOver(MessageLite* fresh, MessageLite* to) {
  if (auto* full = dynamic_cast<google::protobuf::Message*>(to)) {
    full->GetReflection()->Swap(full,
                                static_cast<google::protobuf::Message*>(fresh));
    return;
  }
  to->Clear();
  to->CheckTypeAndMergeFrom(*fresh);
}

// What is copied at a time. Most messages fit; on the stack, because a fresh
// buffer from the system costs more than the copy.
constexpr uint64_t kCopyBytes = 16 * 1024;

// Shared memory as a stream of private copies, each byte read once.
class CopyingStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  // `copy` has room for kCopyBytes.
  CopyingStream(const platform::View& view, const uint8_t* data,
                uint64_t size_bytes, uint8_t* copy)
      : view_(view), data_(data), size_bytes_(size_bytes), copy_(copy) {}

  bool Next(const void** data, int* size) override {
    if (backed_up_ == 0 && !CopyMore()) return false;
    *data = copy_ + (copied_ - backed_up_);
    *size = static_cast<int>(backed_up_);
    passed_ += backed_up_;
    backed_up_ = 0;
    return true;
  }
  void BackUp(int count) override {
    backed_up_ = static_cast<uint64_t>(count);
    passed_ -= backed_up_;
  }
  bool Skip(int count) override {
    uint64_t left = static_cast<uint64_t>(count);
    while (left != 0) {
      if (backed_up_ == 0 && !CopyMore()) return false;
      const uint64_t now = std::min(left, backed_up_);
      backed_up_ -= now;
      passed_ += now;
      left -= now;
    }
    return true;
  }
  int64_t ByteCount() const override { return static_cast<int64_t>(passed_); }

  bool faulted() const { return faulted_; }

 private:
  // All of the copy was used: the next piece. False: there is none.
  bool CopyMore() {
    const uint64_t now = std::min(size_bytes_ - passed_, kCopyBytes);
    if (now == 0 || faulted_) return false;
    faulted_ =
        !platform::Guarded(view_, [&] { memcpy(copy_, data_ + passed_, now); });
    if (faulted_) return false;
    copied_ = backed_up_ = now;
    return true;
  }

  const platform::View& view_;
  const uint8_t* const data_;
  const uint64_t size_bytes_;
  uint8_t* const copy_;
  uint64_t copied_ = 0;     // bytes in `copy_`
  uint64_t backed_up_ = 0;  // of those, at its end, not used yet
  uint64_t passed_ = 0;     // used, since the beginning
  bool faulted_ = false;
};

// Not inlined: the buffer would be part of every caller's frame.
ABSL_ATTRIBUTE_NOINLINE ParseResult ParseCopy(const platform::View& view,
                                              const uint8_t* data,
                                              uint64_t size_bytes,
                                              MessageLite* message) {
  uint8_t copy[kCopyBytes];
  bool parsed;
  if (size_bytes <= sizeof(copy)) {
    if (!platform::Guarded(view, [&] { memcpy(copy, data, size_bytes); })) {
      return ParseResult::kFaulted;
    }
    parsed = message->ParseFromArray(copy, static_cast<int>(size_bytes));
  } else {
    CopyingStream stream(view, data, size_bytes, copy);
    parsed = message->ParseFromZeroCopyStream(&stream);
    if (stream.faulted()) return ParseResult::kFaulted;
  }
  return parsed ? ParseResult::kParsed : ParseResult::kMalformed;
}

}  // namespace

ParseResult ParseMessage(const platform::View& view, const uint8_t* data,
                         uint64_t size_bytes, bool copy_first,
                         MessageLite* message) {
  if (size_bytes > INT32_MAX) return ParseResult::kMalformed;
  if (copy_first) return ParseCopy(view, data, size_bytes, message);
  MessageLite* target =
      platform::kGuardUnwinds ? message->New(nullptr) : message;
  bool parsed = false;
  const bool alive = platform::Guarded(view, [&] {
    parsed = target->ParseFromArray(data, static_cast<int>(size_bytes));
  });
  if (!alive) return ParseResult::kFaulted;  // leaks target, on purpose
  if (target != message) {
    if (parsed) HandOver(target, message);
    delete target;
  }
  return parsed ? ParseResult::kParsed : ParseResult::kMalformed;
}

bool CopyMetadata(const link::Frame& frame, std::string* bytes) {
  bytes->resize(frame.fields.metadata_bytes);
  if (bytes->empty()) return true;
  return platform::Guarded(*frame.view, [&] {
    memcpy(&(*bytes)[0], frame.metadata, bytes->size());
  });
}

}  // namespace internal
}  // namespace shmrpc
