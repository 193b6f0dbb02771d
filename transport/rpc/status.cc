#include "shmrpc/status.h"

#include <utility>

namespace shmrpc {
namespace {

const Status& OkStatus() {
  static const Status* const status = new Status;
  return *status;
}

const Status& CancelledStatus() {
  static const Status* const status = new Status(StatusCode::CANCELLED, "");
  return *status;
}

}  // namespace

// Bound to objects that are never destroyed: static destructors may still use
// them.
const Status& Status::OK = OkStatus();
const Status& Status::CANCELLED = CancelledStatus();

Status::Status(StatusCode code, std::string error_message)
    : Status(code, std::move(error_message), "") {}

Status::Status(StatusCode code, std::string error_message,
               std::string error_details)
    : code_(code) {
  if (error_message.empty() && error_details.empty()) return;
  text_.reset(new Text{std::move(error_message), std::move(error_details)});
}

Status::Status(const Status& other)
    : code_(other.code_),
      text_(other.text_ ? new Text(*other.text_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) {
    code_ = other.code_;
    text_.reset(other.text_ ? new Text(*other.text_) : nullptr);
  }
  return *this;
}

std::string StatusCodeName(StatusCode code) {
  static const char* const kNames[] = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
      "UNAUTHENTICATED",
  };
  const int value = static_cast<int>(code);
  if (value >= 0 && value <= 16) return kNames[value];
  return "CODE(" + std::to_string(value) + ")";
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  out << StatusCodeName(status.error_code());
  const std::string message = status.error_message();
  if (!message.empty()) out << ": " << message;
  return out;
}

}  // namespace shmrpc
