#include "transport/rpc/inbox.h"

#include <cstring>

#include "absl/status/status.h"
#include "transport/platform/guard.h"

namespace shmrpc {
namespace internal {

bool KeepMessage(const link::Frame& frame, ArrivedMessage* message) {
  message->size_bytes = frame.message_bytes;
  if (frame.in_block()) {
    message->block_view = frame.block_view;
    message->block_data = frame.message;
    message->block = frame.block;
    return true;
  }
  // Not make_unique, which would write zeros first.
  message->bytes.reset(new uint8_t[frame.message_bytes]);
  return platform::Guarded(*frame.view, [&] {
    memcpy(message->bytes.get(), frame.message, frame.message_bytes);
  });
}

ParseResult ParseArrived(const ArrivedMessage& arrived, link::Connection* link,
                         MessageLite* message) {
  if (arrived.block_view == nullptr) {
    // At most a record's length.
    return message->ParseFromArray(arrived.bytes.get(),
                                   static_cast<int>(arrived.size_bytes))
               ? ParseResult::kParsed
               : ParseResult::kMalformed;
  }
  const ParseResult result =
      ParseMessage(*arrived.block_view, arrived.block_data, arrived.size_bytes,
                   link->copy_before_parse(), message);
  link->GiveBackBlock(arrived.block);
  if (result == ParseResult::kFaulted) {
    link->Fail(absl::DataLossError("an arena segment's memory is gone"));
  }
  return result;
}

void DropArrived(const ArrivedMessage& arrived, link::Connection* link) {
  if (arrived.block_view != nullptr) link->GiveBackBlock(arrived.block);
}

}  // namespace internal
}  // namespace shmrpc
