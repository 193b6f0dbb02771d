// A Status on its way: the code in the close frame's `aux`, message and details
// as metadata under gRPC's names ("grpc-message", "grpc-status-details-bin"),
// any bytes.

#ifndef SHMRPC_TRANSPORT_RPC_STATUS_WIRE_H_
#define SHMRPC_TRANSPORT_RPC_STATUS_WIRE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shmrpc/status.h"
#include "transport/memory/memory_account.h"

namespace shmrpc {
namespace internal {

// Metadata of a close frame with this status; empty for OK, whose message and
// details are dropped.
std::string StatusMetadata(const Status& status);

// The status of a close frame: `aux` and a private copy of its metadata.
Status StatusFromWire(uint32_t aux, absl::string_view metadata);

// What a failure below means to a caller: UNAVAILABLE, but RESOURCE_EXHAUSTED
// and DEADLINE_EXCEEDED stay what they are.
Status CallStatus(const absl::Status& status);

// The texts of gRPC's own statuses.
Status Cancelled();  // by the client
Status DeadlineExceeded();
// A unary call's response is missing or cannot be parsed.
Status NoMessage();
Status TooManyMessages();
// Not gRPC's: a page of the mapping could not be had.
Status MemoryGone();
Status ReceivedTooLarge(uint64_t size_bytes, int limit_bytes);
Status SentTooLarge(uint64_t size_bytes, int limit_bytes);
Status MetadataTooLarge(uint64_t size_bytes);
// `who` ("server shm:x") holds no more memory for this `peer` ("client"). No
// account: the system gives it none.
Status MemoryLimit(absl::string_view who, absl::string_view peer,
                   const memory::MemoryAccount* account);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_STATUS_WIRE_H_
