// What the library has to say: errors a return value cannot carry (why
// BuildAndStart gave null, a client that broke the protocol) and, on request,
// what it does.
//
// By default messages of severity kError and above go to stderr. The
// environment variable SHMRPC_LOG chooses the least severity shown: debug,
// info, warning, error, none. A program may take them over:
//
//   shmrpc::SetLogHandler([](const shmrpc::LogEntry& e) { my_log(e.message);
//   });

#ifndef SHMRPC_LOG_H_
#define SHMRPC_LOG_H_

#include <functional>
#include <string>

namespace shmrpc {

enum class LogSeverity {
  kDebug = 0,
  kInfo = 1,
  kWarning = 2,
  kError = 3,
  kNone = 4
};

struct LogEntry {
  LogSeverity severity;
  const char* file;  // base name of the source file
  int line;
  std::string message;
};

// Called for each message at or above the level, from any thread, one at a
// time; it must not call back into shmrpc. An empty function restores stderr.
void SetLogHandler(std::function<void(const LogEntry&)> handler);

// Overrides SHMRPC_LOG. kNone silences everything.
void SetLogLevel(LogSeverity least);
LogSeverity GetLogLevel();

}  // namespace shmrpc

#endif  // SHMRPC_LOG_H_
