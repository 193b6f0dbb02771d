#include "tests/soak/call_watch.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {

CallWatch::CallWatch() : thread_([this] { Run(); }) {}

CallWatch::~CallWatch() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  thread_.join();
}

CallWatch::Call::Call(CallWatch* watch, std::string what)
    : watch_(watch), number_(watch->Begin(std::move(what))) {}

CallWatch::Call::~Call() { watch_->End(number_); }

int64_t CallWatch::Begin(std::string what) {
  absl::MutexLock lock(&mutex_);
  calls_.emplace(next_, std::make_pair(Clock::now(), std::move(what)));
  return next_++;
}

void CallWatch::End(int64_t number) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(number);
}

void CallWatch::Run() {
  absl::MutexLock lock(&mutex_);
  while (!mutex_.AwaitWithTimeout(absl::Condition(&ended_), absl::Seconds(1))) {
    if (calls_.empty()) continue;
    const auto& oldest = calls_.begin()->second;
    if (Clock::now() - oldest.first < std::chrono::seconds(kCallSeconds)) {
      continue;
    }
    SendLine(absl::StrCat("wrong a call hangs, ", calls_.size(),
                          " under way: ", oldest.second));
    std::abort();
  }
}

}  // namespace testing
}  // namespace shmrpc
