// A protobuf message to and from shared memory, guarded.
//
// Parsing reads the mapping in place. Where a fault unwinds (Windows), a parser
// cut short would leave the message it works on half-built; so there it works
// on a fresh message, which is handed over on success and leaked on a fault.
//
// From a peer that is not trusted (Connection::copy_before_parse) each byte is
// copied once, guarded, and the parser sees only the copy: what the peer writes
// meanwhile cannot matter. The copy is a buffer on the stack, which a longer
// message passes through piece by piece; no memory is allocated for it.

#ifndef SHMRPC_TRANSPORT_RPC_MESSAGE_IO_H_
#define SHMRPC_TRANSPORT_RPC_MESSAGE_IO_H_

#include <cstdint>
#include <string>

#include "google/protobuf/message_lite.h"
#include "transport/link/frame.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace internal {

using MessageLite = google::protobuf::MessageLite;

// Writes `message`, whose ByteSizeLong() has been called since its last change.
// `to` has room for that many bytes. Call it guarded.
inline void WriteMessage(const MessageLite& message, uint8_t* to) {
  message.SerializeWithCachedSizesToArray(to);
}

enum class ParseResult {
  kParsed,
  kMalformed,  // not a message of this type
  kFaulted,    // the shared memory is gone
};

// Replaces `*message` by the `size_bytes` at `data`, which lie in `view`. After
// anything but kParsed its content is unspecified but valid. `copy_first`: what
// the connection's copy_before_parse() says.
ParseResult ParseMessage(const platform::View& view, const uint8_t* data,
                         uint64_t size_bytes, bool copy_first,
                         MessageLite* message);

// A private copy of the frame's metadata section. False: the memory is gone.
bool CopyMetadata(const link::Frame& frame, std::string* bytes);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_MESSAGE_IO_H_
