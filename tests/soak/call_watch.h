// Notices calls that hang.
//
//   CallWatch watch;
//   {
//     CallWatch::Call watched(&watch, call.Describe());
//     ...  // must be through in kCallSeconds
//   }
//
// A call that is not through by then is named on stdout ("wrong ..."), where
// the test reads it, and its process aborted: calls in a soak have deadlines of
// milliseconds or none, and handlers that end. One thread watches all calls.
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SOAK_CALL_WATCH_H_
#define SHMRPC_TESTS_SOAK_CALL_WATCH_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace shmrpc {
namespace testing {

constexpr int kCallSeconds = 90;

class CallWatch {
 public:
  CallWatch();
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  class Call {
   public:
    Call(CallWatch* watch, std::string what);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    CallWatch* const watch_;
    const int64_t number_;
  };

 private:
  using Clock = std::chrono::steady_clock;

  int64_t Begin(std::string what) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(int64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  // By number, so the first is the one that began first.
  std::map<int64_t, std::pair<Clock::time_point, std::string>> calls_
      ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_CALL_WATCH_H_
