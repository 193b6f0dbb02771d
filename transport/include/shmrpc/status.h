// The outcome of a call: a code, and for errors a message and details.

#ifndef SHMRPC_STATUS_H_
#define SHMRPC_STATUS_H_

#include <memory>
#include <ostream>
#include <string>

namespace shmrpc {

// gRPC's status codes (statuscodes.md of the gRPC documentation).
// A fixed underlying type: any number may come from another process.
enum StatusCode : int {
  OK = 0,
  CANCELLED = 1,
  UNKNOWN = 2,
  INVALID_ARGUMENT = 3,
  DEADLINE_EXCEEDED = 4,
  NOT_FOUND = 5,
  ALREADY_EXISTS = 6,
  PERMISSION_DENIED = 7,
  RESOURCE_EXHAUSTED = 8,
  FAILED_PRECONDITION = 9,
  ABORTED = 10,
  OUT_OF_RANGE = 11,
  UNIMPLEMENTED = 12,
  INTERNAL = 13,
  UNAVAILABLE = 14,
  DATA_LOSS = 15,
  UNAUTHENTICATED = 16,
  DO_NOT_USE = -1,
};

// A value type. An OK status owns nothing: creating, moving and destroying one
// allocates no memory. Codes outside 0..16 are kept as they are.
class Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string error_message);
  Status(StatusCode code, std::string error_message, std::string error_details);

  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&& other) noexcept = default;
  Status& operator=(Status&& other) noexcept = default;
  ~Status() = default;

  static const Status& OK;
  static const Status& CANCELLED;

  bool ok() const { return code_ == StatusCode::OK; }
  StatusCode error_code() const { return code_; }
  // Any bytes, Unicode or not; may hold NUL.
  std::string error_message() const { return text_ ? text_->message : ""; }
  // Usually a serialized google.rpc.Status.
  std::string error_details() const { return text_ ? text_->details : ""; }

  // For code that says explicitly that it does not care.
  void IgnoreError() const {}

 private:
  struct Text {
    std::string message;
    std::string details;
  };
  StatusCode code_ = StatusCode::OK;
  std::unique_ptr<Text> text_;  // null: both empty
};

// "UNAVAILABLE", or "CODE(99)" for one that has no name.
std::string StatusCodeName(StatusCode code);

// "UNAVAILABLE: the message"
std::ostream& operator<<(std::ostream& out, const Status& status);

}  // namespace shmrpc

#endif  // SHMRPC_STATUS_H_
