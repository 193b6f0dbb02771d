#include "transport/rpc/message_io.h"

#include <cstring>

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

}  // namespace

ParseResult ParseMessage(const platform::View& view, const uint8_t* data,
                         uint64_t size_bytes, MessageLite* message) {
  if (size_bytes > INT32_MAX) return ParseResult::kMalformed;
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
