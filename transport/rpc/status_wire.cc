#include "transport/rpc/status_wire.h"

#include "absl/strings/str_cat.h"
#include "transport/link/metadata.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace internal {
namespace {

constexpr absl::string_view kMessageKey = "grpc-message";
constexpr absl::string_view kDetailsKey = "grpc-status-details-bin";

}  // namespace

std::string StatusMetadata(const Status& status) {
  std::string bytes;
  if (status.ok()) return bytes;
  const std::string message = status.error_message();
  const std::string details = status.error_details();
  if (!message.empty()) link::AppendMetadata(kMessageKey, message, &bytes);
  if (!details.empty()) link::AppendMetadata(kDetailsKey, details, &bytes);
  return bytes;
}

Status StatusFromWire(uint32_t aux, absl::string_view metadata) {
  const StatusCode code = static_cast<StatusCode>(static_cast<int32_t>(aux));
  if (metadata.empty()) return Status(code, "");
  link::Metadata pairs;
  const absl::Status parsed = link::ParseMetadata(metadata, &pairs);
  if (!parsed.ok()) {
    return Status(
        StatusCode::INTERNAL,
        absl::StrCat("status with malformed metadata: ", parsed.message()));
  }
  return Status(code, std::string(link::FindMetadata(pairs, kMessageKey)),
                std::string(link::FindMetadata(pairs, kDetailsKey)));
}

Status CallStatus(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return DeadlineExceeded();
  return Status(absl::IsResourceExhausted(status)
                    ? StatusCode::RESOURCE_EXHAUSTED
                    : StatusCode::UNAVAILABLE,
                std::string(status.message()));
}

Status Cancelled() { return Status(StatusCode::CANCELLED, "CANCELLED"); }

Status NoMessage() {
  return Status(StatusCode::UNIMPLEMENTED,
                "No message returned for unary request");
}

Status TooManyMessages() {
  return Status(StatusCode::UNIMPLEMENTED,
                "More than one message returned for unary request");
}

Status MemoryGone() {
  return Status(StatusCode::UNAVAILABLE,
                "the connection's shared memory is gone (truncated, or the "
                "system could not supply a page)");
}

Status DeadlineExceeded() {
  return Status(StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
}

Status ReceivedTooLarge(uint64_t size_bytes, int limit_bytes) {
  return Status(StatusCode::RESOURCE_EXHAUSTED,
                absl::StrCat("Received message larger than max (", size_bytes,
                             " vs. ", limit_bytes, ")"));
}

Status MetadataTooLarge(uint64_t size_bytes) {
  return Status(
      StatusCode::RESOURCE_EXHAUSTED,
      absl::StrCat("metadata of ", size_bytes, " bytes larger than max (",
                   size_bytes, " vs. ", memory::kMaxMetadataBytes, ")"));
}

Status MemoryLimit(absl::string_view who, absl::string_view peer,
                   const memory::MemoryAccount* account) {
  return Status(
      StatusCode::RESOURCE_EXHAUSTED,
      absl::StrCat(who, " has no room for more memory of this ", peer, ": ",
                   account == nullptr ? "the system gives it none"
                                      : account->Describe()));
}

Status SentTooLarge(uint64_t size_bytes, int limit_bytes) {
  return Status(StatusCode::RESOURCE_EXHAUSTED,
                absl::StrCat("Sent message larger than max (", size_bytes,
                             " vs. ", limit_bytes, ")"));
}

}  // namespace internal
}  // namespace shmrpc
