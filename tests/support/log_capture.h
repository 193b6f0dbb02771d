// What the library logs while this exists, instead of on stderr.
//
//   LogCapture log;
//   EXPECT_EQ(builder.BuildAndStart(), nullptr);
//   EXPECT_THAT(log.Text(), HasSubstr("no port"));
//
// One at a time. Thread rule: any.

#ifndef SHMRPC_TESTS_SUPPORT_LOG_CAPTURE_H_
#define SHMRPC_TESTS_SUPPORT_LOG_CAPTURE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/log.h"

namespace shmrpc {
namespace testing {

class LogCapture {
 public:
  explicit LogCapture(LogSeverity least = LogSeverity::kError);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // The messages so far, each with a line end.
  std::string Text() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const LogSeverity level_before_;
  mutable absl::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_LOG_CAPTURE_H_
