// One frame, in private memory: what a sender asks for, what a receiver got.

#ifndef SHMRPC_TRANSPORT_LINK_FRAME_H_
#define SHMRPC_TRANSPORT_LINK_FRAME_H_

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "transport/memory/layout.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace link {

// The header of a record as it was read, once. Nothing of it is believed before
// ValidateFrame.
struct FrameFields {
  uint32_t record_bytes = 0;
  uint8_t kind = 0;
  uint8_t flags = 0;
  uint32_t call_id = 0;
  uint32_t aux = 0;
  int64_t deadline_ns = INT64_MAX;
  uint32_t metadata_bytes = 0;
  uint32_t returned_block = 0;  // 1 + number, 0 none
};

// Do the fields make sense together, coming from `sender`? DATA_LOSS with the
// reason if not. Sizes are checked against the record, not against the ring.
absl::Status ValidateFrame(const FrameFields& fields, memory::Side sender);

// A frame that arrived.
struct Frame {
  FrameFields fields;
  // Still in shared memory: read them once, guarded by `view`. Valid until the
  // connection's next Next(), or, if in a block, until it is given back.
  const uint8_t* metadata = nullptr;
  const uint8_t* message = nullptr;
  uint64_t message_bytes = 0;
  const platform::View* view = nullptr;
  // Set if metadata and message lie in a block that can be read.
  std::shared_ptr<platform::View> block_view;
  uint32_t block = 0;  // if holds_block()

  bool has_message() const {
    return (fields.flags & memory::kFlagMessage) != 0;
  }
  bool in_block() const { return block_view != nullptr; }
  // Is there a block to be given back?
  bool holds_block() const { return (fields.flags & memory::kFlagBlock) != 0; }
  // It lies in a segment that this side refused for lack of memory: neither
  // metadata nor message can be had, and their sizes are 0.
  bool refused() const { return holds_block() && block_view == nullptr; }
  bool last() const { return (fields.flags & memory::kFlagLast) != 0; }
  bool initial() const { return (fields.flags & memory::kFlagInitial) != 0; }
};

// A frame to send.
struct OutgoingFrame {
  using Write = absl::FunctionRef<void(uint8_t* to)>;

  uint8_t kind = 0;
  bool has_message = false;
  bool last = false;     // client: no message follows
  bool initial = false;  // server: `metadata` is the initial metadata
  uint32_t call_id = 0;
  uint32_t aux = 0;
  int64_t deadline_ns = INT64_MAX;
  uint32_t returned_block = 0;  // 1 + number, 0 none
  absl::string_view metadata;
  uint64_t message_bytes = 0;
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_FRAME_H_
