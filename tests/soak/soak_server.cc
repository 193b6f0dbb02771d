#include "tests/soak/soak_server.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace shmrpc {
namespace testing {
namespace {

// Longer than a call may hang: the client says more about it.
constexpr int kAnswerSeconds = 180;

}  // namespace

SoakServer::SoakServer(std::string target, Subprocess::Environment environment)
    : target_(std::move(target)), environment_(std::move(environment)) {
  absl::MutexLock lock(&mutex_);
  Start();
}

SoakServer::~SoakServer() { End(); }

void SoakServer::Start() {
  process_ = std::make_unique<Subprocess>(
      SpawnRole("soak_server", {target_}, environment_));
  if (process_->ReadLine(kAnswerSeconds) != "ready") {
    wrong_.push_back(absl::StrCat(target_, ": the server did not start"));
  }
}

std::string SoakServer::Ask(absl::string_view command, absl::string_view word) {
  process_->WriteLine(command);
  const std::string line =
      process_->ReadLine(kAnswerSeconds).value_or("(it has ended)");
  absl::string_view rest = line;
  if (!absl::ConsumePrefix(&rest, word)) {
    wrong_.push_back(
        absl::StrCat(target_, ": asked \"", command, "\": ", line));
  }
  absl::ConsumePrefix(&rest, " ");
  return std::string(rest);
}

Consumption SoakServer::Look() {
  absl::MutexLock lock(&mutex_);
  Consumption consumption;
  consumption.FromLine(Ask("look", "taking"));
  return consumption;
}

void SoakServer::Forget(const std::string& client) {
  absl::MutexLock lock(&mutex_);
  Ask(absl::StrCat("forget ", client), "forgotten");
}

void SoakServer::Count(absl::string_view numbers, int64_t* begun,
                       int64_t* ended) {
  const std::vector<absl::string_view> words = absl::StrSplit(numbers, ' ');
  if (words.size() == 2 && absl::SimpleAtoi(words[0], begun) &&
      absl::SimpleAtoi(words[1], ended)) {
    return;
  }
  wrong_.push_back(absl::StrCat(target_, ": no books: ", numbers));
}

void SoakServer::CountHandlers(int64_t* begun, int64_t* ended) {
  absl::MutexLock lock(&mutex_);
  Count(Ask("books", "books"), begun, ended);
}

void SoakServer::ShutDown(absl::string_view command) {
  int64_t begun = 0, ended = 0;
  Count(Ask(command, "down"), &begun, &ended);
  if (begun != ended) {
    wrong_.push_back(absl::StrCat(target_, ": shut down with ", begun,
                                  " handlers begun and ", ended, " ended"));
  }
  process_->CloseStdin();
  const ExitStatus status = process_->Wait(kAnswerSeconds);
  if (!status.ok()) {
    wrong_.push_back(absl::StrCat(target_, ": ended with exit code ",
                                  status.code, ", signal ", status.signal));
  }
  process_.reset();
}

void SoakServer::Restart(Stop stop, int grace_ms) {
  absl::MutexLock lock(&mutex_);
  switch (stop) {
    case Stop::kKill:
      process_->Kill();
      process_->Wait(kAnswerSeconds);
      break;
    case Stop::kShutDown:
      ShutDown("shutdown");
      break;
    case Stop::kShutDownByDeadline:
      ShutDown(absl::StrCat("shutdown ", grace_ms));
      break;
  }
  Start();
}

void SoakServer::End() {
  absl::MutexLock lock(&mutex_);
  if (process_ != nullptr) ShutDown("shutdown");
}

std::vector<std::string> SoakServer::wrong() const {
  absl::MutexLock lock(&mutex_);
  return wrong_;
}

}  // namespace testing
}  // namespace shmrpc
