#include "transport/log/log.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/const_init.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace shmrpc {
namespace {

using Handler = std::function<void(const LogEntry&)>;

ABSL_CONST_INIT absl::Mutex handler_mutex(absl::kConstInit);
Handler* handler = nullptr;  // guarded by handler_mutex; null: stderr

// The level as an int; -1 until SHMRPC_LOG has been read. Relaxed everywhere:
// it stands alone.
std::atomic<int> level{-1};

int LevelFromEnvironment() {
  const char* value = std::getenv("SHMRPC_LOG");
  const std::string name = absl::AsciiStrToLower(value == nullptr ? "" : value);
  if (name == "debug") return static_cast<int>(LogSeverity::kDebug);
  if (name == "info") return static_cast<int>(LogSeverity::kInfo);
  if (name == "warning") return static_cast<int>(LogSeverity::kWarning);
  if (name == "none") return static_cast<int>(LogSeverity::kNone);
  if (!name.empty() && name != "error") {
    std::fprintf(stderr,
                 "shmrpc: SHMRPC_LOG=%s: expected debug, info, warning, error "
                 "or none; using error\n",
                 value);
  }
  return static_cast<int>(LogSeverity::kError);
}

const char* BaseName(const char* path) {
  const char* base = path;
  for (const char* p = path; *p != '\0'; ++p) {
    if (*p == '/' || *p == '\\') base = p + 1;
  }
  return base;
}

char Letter(LogSeverity severity) {
  return "DIWE"[static_cast<int>(severity) & 3];
}

}  // namespace

void SetLogHandler(std::function<void(const LogEntry&)> new_handler) {
  absl::MutexLock lock(&handler_mutex);
  delete handler;
  handler = new_handler ? new Handler(std::move(new_handler)) : nullptr;
}

void SetLogLevel(LogSeverity least) {
  level.store(static_cast<int>(least), std::memory_order_relaxed);
}

LogSeverity GetLogLevel() {
  int current = level.load(std::memory_order_relaxed);
  if (current < 0) {
    const int initial = LevelFromEnvironment();
    level.compare_exchange_strong(current, initial, std::memory_order_relaxed);
    current = level.load(std::memory_order_relaxed);
  }
  return static_cast<LogSeverity>(current);
}

namespace internal {

LogMessage::~LogMessage() {
  const LogEntry entry{severity_, BaseName(file_), line_, stream_.str()};
  absl::MutexLock lock(&handler_mutex);
  if (handler != nullptr) {
    (*handler)(entry);
    return;
  }
  std::fprintf(stderr, "shmrpc %c %s:%d] %s\n", Letter(severity_), entry.file,
               entry.line, entry.message.c_str());
}

}  // namespace internal
}  // namespace shmrpc
