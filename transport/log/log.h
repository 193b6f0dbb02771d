// Writing to the log that shmrpc/log.h lets users steer:
//
//   SHMRPC_LOG(kError) << "listen on " << address << ": " << status.message();
//
// Nothing right of << is evaluated below the level. Any thread. Never fails.

#ifndef SHMRPC_TRANSPORT_LOG_LOG_H_
#define SHMRPC_TRANSPORT_LOG_LOG_H_

#include <sstream>

#include "shmrpc/log.h"

namespace shmrpc {
namespace internal {

// One message, written when it is destroyed.
class LogMessage {
 public:
  LogMessage(LogSeverity severity, const char* file, int line)
      : severity_(severity), file_(file), line_(line) {}
  ~LogMessage();
  std::ostream& stream() { return stream_; }

 private:
  const LogSeverity severity_;
  const char* const file_;
  const int line_;
  std::ostringstream stream_;
};

// Gives both arms of the ?: below the type void.
struct LogVoidify {
  void operator&(std::ostream&) const {}
};

}  // namespace internal
}  // namespace shmrpc

#define SHMRPC_LOG(severity)                                                \
  ::shmrpc::LogSeverity::severity < ::shmrpc::GetLogLevel()                 \
      ? (void)0                                                             \
      : ::shmrpc::internal::LogVoidify() &                                  \
            ::shmrpc::internal::LogMessage(::shmrpc::LogSeverity::severity, \
                                           __FILE__, __LINE__)              \
                .stream()

#endif  // SHMRPC_TRANSPORT_LOG_LOG_H_
