#include "tests/support/log_capture.h"

namespace shmrpc {
namespace testing {

LogCapture::LogCapture(LogSeverity least) : level_before_(GetLogLevel()) {
  SetLogLevel(least);
  SetLogHandler([this](const LogEntry& entry) {
    absl::MutexLock lock(&mutex_);
    text_ += entry.message + "\n";
  });
}

LogCapture::~LogCapture() {
  SetLogHandler(nullptr);
  SetLogLevel(level_before_);
}

std::string LogCapture::Text() const {
  absl::MutexLock lock(&mutex_);
  return text_;
}

}  // namespace testing
}  // namespace shmrpc
